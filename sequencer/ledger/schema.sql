-- The ledger of the sequencer, the same for PGlite (embedded) and PostgreSQL. State is the fold of
-- `log`; every other table can be rebuilt from it but for proofs and L1 hashes, which cost time or money.

CREATE TABLE IF NOT EXISTS deployment (
  -- One ledger belongs to one rollup on one chain: a restored backup of another must not start.
  only_row     BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
  identity     TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS log (
  sequence      BIGINT PRIMARY KEY,
  command       TEXT NOT NULL,
  -- SHA-256 of the events this command caused: a replay that decides otherwise refuses to start.
  outcome_hash  TEXT NOT NULL,
  -- SHA-256 over the previous record's hash and this record: a flipped bit breaks the chain.
  record_hash   TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS batch (
  batch_number  BIGINT NOT NULL,
  -- Raised by each reseal of this batch number.
  attempt       INTEGER NOT NULL,
  sealed        TEXT NOT NULL,
  proof         TEXT,
  PRIMARY KEY (batch_number, attempt)
);

CREATE TABLE IF NOT EXISTS settlement_intent (
  batch_number  BIGINT NOT NULL,
  attempt       INTEGER NOT NULL,
  l1_nonce      BIGINT NOT NULL,
  -- Every signed transaction ever broadcast under this nonce, so that a restart recognises its own.
  tx_hash       TEXT NOT NULL,
  raw_tx        TEXT NOT NULL,
  PRIMARY KEY (tx_hash)
);
