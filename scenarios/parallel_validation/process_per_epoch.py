"""A process for every epoch, as document 003 has it, put right.

The module validates itself, by a Trainer's `validate`; every process has a pipe of its own, which is read before the
process is waited for; figures are logged in the order of epochs, at the step and epoch that sequential validation logs
them at; and when training fails, no process is left behind.
"""

import multiprocessing

from harness.frameworks.lightning_package import pl
from scenarios.parallel_validation.network import validated


class ProcessPerEpoch(pl.Callback):
    """
    Args:
        figures_of: called in the process with a module and a loader, returns figures by name.
    """

    def __init__(self, fit, start_method, figures_of=validated):
        self.processes = multiprocessing.get_context(start_method)
        self.new_module, self.loader = fit.new_module, fit.val_loader()
        self.figures_of = figures_of
        self.running = []

    def on_train_epoch_end(self, trainer, pl_module):
        state = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}
        receiver, sender = self.processes.Pipe(duplex=False)
        arguments = (self.figures_of, self.new_module, state, self.loader, sender)
        process = self.processes.Process(target=send_figures, args=arguments, daemon=True)
        process.start()
        sender.close()  # here: so that the pipe ends when the process does
        self.running.append((trainer.current_epoch, trainer.global_step - 1, receiver, process))

    def on_train_end(self, trainer, pl_module):
        for epoch, step, receiver, process in self.running:
            try:
                figures = receiver.recv()
            except EOFError:
                process.join()
                raise RuntimeError(f"validation of epoch {epoch} died with status {process.exitcode}") from None
            process.join()
            for logger in trainer.loggers:
                logger.log_metrics({**figures, "epoch": epoch}, step=step)

    def on_exception(self, trainer, pl_module, exception):
        for *_, process in self.running:
            process.kill()
            process.join()


def send_figures(figures_of, new_module, state, loader, sender):
    module = new_module()
    module.load_state_dict(state)
    with sender:
        sender.send(figures_of(module, loader))
