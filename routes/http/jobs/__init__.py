"""What the endpoints of jobs share: reading submissions, and views of jobs, items and uploads."""
