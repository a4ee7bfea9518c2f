"""Health rules: what a log says about its training. Pure functions of the events so far."""
