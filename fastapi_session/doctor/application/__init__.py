"""What is wrong with an application and its configuration, as it can be seen without asking anybody."""
