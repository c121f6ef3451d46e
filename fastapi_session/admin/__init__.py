"""Administration in the application: endpoints, and pages of starlette-admin, for whoever may see and end everybody's sessions."""
