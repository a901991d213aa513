"""What Persistent Stochastic Ablation is: ablation, variants, events and draws. No files, no screens."""
