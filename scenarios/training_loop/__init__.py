"""The rest of the training loop, where upgrades bite: whatever else Lightning does around the figures of an epoch.

The figures are the most ordinary ones, so that correctness stays judged. What these scenarios are for is the rest of
their histories, which two environments can be compared by.
"""
