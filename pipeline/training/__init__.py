"""The network on LFW and beyond: training, evaluation, cohort, and the data they need."""
