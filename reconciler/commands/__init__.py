"""The commands: each file joins the shell (arguments, files, clock) and the core for one of them."""
