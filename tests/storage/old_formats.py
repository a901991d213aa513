"""The tables of the results database as versions before format 3 made them."""

FORMAT_1 = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    state TEXT NOT NULL,              -- running, finished, stopped or failed
    reason TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    architecture TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    mode TEXT NOT NULL,
    seed INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    dataset_requested TEXT NOT NULL,  -- auto, when mnist5k stands in for full MNIST
    dataset_fingerprint TEXT NOT NULL,
    learning_rate REAL NOT NULL,
    batch_size INTEGER NOT NULL,
    weight_decay REAL NOT NULL,
    dropout REAL NOT NULL,
    meta_loop INTEGER NOT NULL,       -- meta-loops completed
    last_meta_loop INTEGER NOT NULL,  -- the meta-loop at which the run is complete
    bounty REAL,                      -- highest validation accuracy, a fraction
    bounty_meta_loop INTEGER NOT NULL,
    test_accuracy REAL                -- of the LKG, a fraction; measured when a session ends
) WITHOUT ROWID;
CREATE TABLE sessions (
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    session INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    after_meta_loop INTEGER NOT NULL,
    outcome TEXT,                     -- finished, stopped or failed; NULL while it runs, or if it was killed
    learning_rate REAL NOT NULL,      -- the settings of this session; a run may go on with others
    batch_size INTEGER NOT NULL,
    weight_decay REAL NOT NULL,
    dropout REAL NOT NULL,
    device TEXT NOT NULL,
    threads INTEGER NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,           -- JSON
    PRIMARY KEY (run, session)
) WITHOUT ROWID;
CREATE TABLE meta_loops (
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    meta_loop INTEGER NOT NULL,
    mode TEXT NOT NULL,
    ablated_layer INTEGER,            -- 0 is the first hidden layer, the highest is the output layer
    ablated_neuron INTEGER,
    train_loss REAL,                  -- mean over the epoch; NULL when it was not finite
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,          -- 0 when the loss or a weight was not finite
    verdict TEXT NOT NULL,            -- promoted or rolled_back
    seconds REAL NOT NULL,
    PRIMARY KEY (run, meta_loop)
) WITHOUT ROWID;
"""
FORMAT_2 = """
CREATE TABLE studies (
    study TEXT PRIMARY KEY,
    source TEXT NOT NULL,             -- local (trained by psa reproduce) or fetched (from a bucket)
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    quick INTEGER NOT NULL,           -- 1: cut short on purpose, no reproduction
    seed INTEGER,                     -- NULL when unknown
    meta_loops INTEGER,               -- of each trial; NULL when unknown
    trials INTEGER,                   -- of each shape and mode; NULL when unknown
    settings TEXT NOT NULL            -- JSON: shapes, modes, data set, hyperparameters
) WITHOUT ROWID;
CREATE TABLE study_sessions (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    session INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,                    -- of the last sign of life while there is no outcome
    outcome TEXT,                     -- finished, stopped or failed; NULL while it runs, or if it was killed
    reason TEXT NOT NULL,
    workers INTEGER NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,           -- JSON
    PRIMARY KEY (study, session)
) WITHOUT ROWID;
CREATE TABLE trials (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,       -- L*W
    mode TEXT NOT NULL,
    trial INTEGER NOT NULL,           -- counts from 1
    parameters INTEGER NOT NULL,
    seed INTEGER,                     -- NULL when unknown
    state TEXT NOT NULL,              -- running, complete or failed
    reason TEXT NOT NULL,             -- why it failed
    meta_loop INTEGER,                -- meta-loops completed; NULL when unknown
    bounty REAL,                      -- best validation accuracy, a fraction
    bounty_meta_loop INTEGER,
    test_accuracy REAL,               -- of the LKG, a fraction; NULL when unknown
    seconds REAL NOT NULL,            -- its share of the workers' time
    origin TEXT NOT NULL,             -- the machine or job that trained it
    PRIMARY KEY (study, architecture, mode, trial)
) WITHOUT ROWID;
CREATE TABLE trial_loops (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,
    mode TEXT NOT NULL,
    trial INTEGER NOT NULL,
    meta_loop INTEGER NOT NULL,
    ablated_layer INTEGER,
    ablated_neuron INTEGER,
    train_loss REAL,
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (study, architecture, mode, trial, meta_loop)
) WITHOUT ROWID;
CREATE TABLE jobs (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    job TEXT NOT NULL,
    architecture TEXT NOT NULL,
    mode TEXT NOT NULL,
    etag TEXT NOT NULL,
    state TEXT NOT NULL,              -- accepted or refused
    reason TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    PRIMARY KEY (study, job)
) WITHOUT ROWID;
"""
