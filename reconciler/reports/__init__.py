"""Reports: values in, text out. A renderer opens nothing and escapes everything that came from outside."""
