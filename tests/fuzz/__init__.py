"""Every door by which somebody else's file or text comes in, each as a function of bytes.

``readers.py`` has the doors. The tests push a little through each (``tests/test_readers.py``); ``make
fuzz`` pushes for as long as it is let, by what coverage teaches it. What it finds is kept in ``cases/``,
a file each under the door's name, and tried in every run of the tests.
"""
