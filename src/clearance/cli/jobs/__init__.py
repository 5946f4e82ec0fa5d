"""What `clearance run` stands on: the job that is shown, its lock, its pending request, and its process."""
