"""What training costs: where a step's time goes, and how much of the machine it uses."""
