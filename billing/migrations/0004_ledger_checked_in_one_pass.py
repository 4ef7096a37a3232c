"""The ledger's checks read each thing once: the same refusals at a third of the cost; see docs/decisions on the ledger."""

from django.db import migrations

# The functions ask by lists of ids and are held to index look-ups, so that their cost grows with what is posted and not
# with what is stored. Balances are moved in the order of the accounts' ids, which is the order of their locks.
LEDGER = r"""
CREATE OR REPLACE FUNCTION billing_check_postings() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE ids bigint[]; whole bigint;
BEGIN
    SELECT array_agg(id ORDER BY id) INTO ids FROM added;
    SELECT count(*) INTO whole FROM (
        SELECT 1 FROM billing_entry e WHERE e.posting_id = ANY (ids) GROUP BY e.posting_id HAVING count(*) >= 2
    ) n;
    IF whole <> cardinality(ids) THEN
        RAISE EXCEPTION 'A posting goes in with at least two entries, in one statement.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_two_entries';
    END IF;
    RETURN NULL;
END $$;

-- The stored entries of these postings include those just added: as many means that there are no others.
CREATE OR REPLACE FUNCTION billing_book_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE ids bigint[]; entries bigint; stored bigint; known bigint; loose bigint; expected bigint; updated bigint;
BEGIN
    SELECT array_agg(n.posting_id ORDER BY n.posting_id), sum(n.rows), sum(n.loose) INTO ids, entries, loose
    FROM (
        SELECT c.posting_id, sum(c.rows) AS rows, count(*) FILTER (WHERE c.total <> 0) AS loose
        FROM (
            SELECT posting_id, count(*) AS rows, sum(amount) AS total FROM added GROUP BY posting_id, currency
        ) c GROUP BY c.posting_id
    ) n;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    IF loose > 0 THEN
        RAISE EXCEPTION 'The entries of a posting sum to zero per currency.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_balanced';
    END IF;
    SELECT count(*) INTO stored FROM billing_entry e WHERE e.posting_id = ANY (ids);
    SELECT count(*) INTO known FROM billing_posting p WHERE p.id = ANY (ids);
    IF stored <> entries OR known <> cardinality(ids) THEN
        RAISE EXCEPTION 'Entries go in together with their posting, all at once.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_complete';
    END IF;
    WITH sums AS MATERIALIZED (
        SELECT account_id, currency, sum(amount) AS amount FROM added GROUP BY account_id, currency ORDER BY account_id
    ), moved AS (
        UPDATE billing_ledgeraccount a SET balance = a.balance + n.amount
        FROM sums n WHERE a.id = n.account_id AND a.currency = n.currency RETURNING 1
    )
    SELECT (SELECT count(*) FROM sums), (SELECT count(*) FROM moved) INTO expected, updated;
    IF updated <> expected THEN
        RAISE EXCEPTION 'An entry names no ledger account of its currency.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_account_of_currency';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER ledger_balances_kept ON billing_ledgeraccount;
CREATE TRIGGER ledger_balances_kept BEFORE UPDATE ON billing_ledgeraccount
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION billing_refuse();
ALTER TABLE billing_ledgeraccount SET (fillfactor = 60);
"""

UNDO = r"""
ALTER TABLE billing_ledgeraccount RESET (fillfactor);
DROP TRIGGER ledger_balances_kept ON billing_ledgeraccount;
CREATE TRIGGER ledger_balances_kept BEFORE UPDATE ON billing_ledgeraccount
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION billing_refuse();

CREATE OR REPLACE FUNCTION billing_check_postings() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM added p WHERE (SELECT count(*) FROM billing_entry e WHERE e.posting_id = p.id) < 2
    ) THEN
        RAISE EXCEPTION 'A posting goes in with at least two entries, in one statement.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_two_entries';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION billing_book_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE expected bigint; updated bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM added) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT 1 FROM added GROUP BY posting_id, currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'The entries of a posting sum to zero per currency.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_balanced';
    END IF;
    IF EXISTS (
        SELECT 1 FROM (SELECT posting_id, count(*) AS rows FROM added GROUP BY posting_id) n
        WHERE n.rows <> (SELECT count(*) FROM billing_entry e WHERE e.posting_id = n.posting_id)
        OR (SELECT p.id FROM billing_posting p WHERE p.id = n.posting_id) IS NULL
    ) THEN
        RAISE EXCEPTION 'Entries go in together with their posting, all at once.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_complete';
    END IF;
    PERFORM 1 FROM billing_ledgeraccount WHERE id IN (SELECT account_id FROM added) ORDER BY id FOR NO KEY UPDATE;
    SELECT count(*) INTO expected FROM (SELECT DISTINCT account_id, currency FROM added) n;
    UPDATE billing_ledgeraccount a SET balance = a.balance + n.amount
    FROM (SELECT account_id, currency, sum(amount) AS amount FROM added GROUP BY account_id, currency) n
    WHERE a.id = n.account_id AND a.currency = n.currency;
    GET DIAGNOSTICS updated = ROW_COUNT;
    IF updated <> expected THEN
        RAISE EXCEPTION 'An entry names no ledger account of its currency.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_account_of_currency';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_refund_part_per_destination")]

    operations = [migrations.RunSQL(LEDGER, UNDO)]
