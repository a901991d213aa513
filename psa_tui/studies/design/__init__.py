"""What a study is to find out, said before its results are known: hypotheses, looks, registration, departures."""
