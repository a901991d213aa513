"""Single runs: started, resumed, followed, controlled and told about."""
