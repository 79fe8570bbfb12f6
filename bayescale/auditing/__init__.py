"""What a table of runs shows that its fit would not: audited before anything is believed."""
