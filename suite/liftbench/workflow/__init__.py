"""What the commands, the pytest plugin and `import liftbench` do alike. It prints nothing and writes no page."""
