"""What a trial trains on: samples with ids, and how they are cut into batches, all fixed by a seed."""
