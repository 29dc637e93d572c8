"""ibtools' own trainings: what decides them, and who records which repeat, until it is done."""
