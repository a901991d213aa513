"""Statistics of trials: functions of arrays, each with its source; nothing here knows files, studies or screens."""
