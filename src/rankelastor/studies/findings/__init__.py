"""What the results of a study say: means, paired differences, fronts, and how rank goes with AUC."""
