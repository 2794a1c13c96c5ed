"""The work that the commands, the pytest plugin and `import liftbench` share. It prints nothing and writes no page."""
