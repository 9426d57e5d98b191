"""What a run says to people and to other programs. Filled in below."""
def write_reports(directories, out):
    pass
