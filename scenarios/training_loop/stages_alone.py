"""`validate`, `test` and `predict` on a Trainer that has not trained."""

from harness import Aggregate
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.training_loop.logged import VAL_LOSS, Logged, declare

TEST_LOSS = Aggregate("test_loss", of=cross_entropy, stage="test", predicts=weighted_by_batch_size)


class Stages(Logged):
    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_loss", self.loss_fn(self(x), y))

    def predict_step(self, batch, batch_idx):
        x, _ = batch
        return self(x).argmax(dim=1)


def validates(fit):
    fit.trainer().validate(fit.module, fit.val_loader(), verbose=False)


def tests(fit):
    fit.trainer().test(fit.module, fit.test_loader(), verbose=False)


def one_after_the_other(fit):
    trainer = fit.trainer()
    trainer.validate(fit.module, fit.val_loader(), verbose=False)
    trainer.test(fit.module, fit.test_loader(), verbose=False)
    trainer.predict(fit.module, fit.predict_loader())


def after_training(fit):
    trainer = fit.trainer(enable_checkpointing=True)
    trainer.fit(fit.module, fit.train_loader(), fit.val_loader())
    for module in (fit.module, None):
        best = {} if module else {"ckpt_path": "best"}
        trainer.test(module, fit.test_loader(), verbose=False, **best)
        trainer.predict(module, fit.predict_loader(), **best)


declare("validate_alone", Stages, fit=validates, aggregates=[VAL_LOSS])
declare("test_alone", Stages, fit=tests, aggregates=[TEST_LOSS])
declare("validate_test_predict", Stages, fit=one_after_the_other, aggregates=[VAL_LOSS])
declare("test_and_predict_after_fit", Stages, fit=after_training)
