"""From a finished run to the model that serves: find it, check it, hold it against the champion, register it.

finding   which run, trial or sweep is meant
winner    the best trial of a sweep, trained in full, once
judging   what speaks against a bundle
card      what a registered version says of itself
promote   all of it in order
rerun     the same run again, compared figure by figure
"""
