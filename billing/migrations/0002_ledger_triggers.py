"""What the database refuses of the ledger, whoever asks: see docs/decisions on the ledger."""

from django.db import migrations

LEDGER = r"""
CREATE FUNCTION billing_ledger_account(wanted_kind text, wanted_owner text, wanted_currency text, negative boolean)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found_id bigint;
BEGIN
    SELECT id INTO found_id FROM billing_ledgeraccount
    WHERE kind = wanted_kind AND owner = wanted_owner AND currency = wanted_currency;
    IF found_id IS NULL THEN
        INSERT INTO billing_ledgeraccount (kind, owner, currency, balance, may_be_negative)
        VALUES (wanted_kind, wanted_owner, wanted_currency, 0, negative)
        ON CONFLICT (kind, owner, currency) DO NOTHING;
        SELECT id INTO STRICT found_id FROM billing_ledgeraccount
        WHERE kind = wanted_kind AND owner = wanted_owner AND currency = wanted_currency;
    END IF;
    RETURN found_id;
END $$;

-- The plans are held to index look-ups, so that the cost grows with what is posted and not with what is stored.
CREATE FUNCTION billing_check_postings() RETURNS trigger LANGUAGE plpgsql
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

CREATE FUNCTION billing_book_entries() RETURNS trigger LANGUAGE plpgsql
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

CREATE FUNCTION billing_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the ledger is append-only and keeps its balances itself.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_append_only';
END $$;

CREATE TRIGGER postings_whole AFTER INSERT ON billing_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing_check_postings();
CREATE TRIGGER entries_booked AFTER INSERT ON billing_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing_book_entries();

CREATE TRIGGER postings_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_posting
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER entries_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_entry
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER ledger_accounts_kept BEFORE DELETE OR TRUNCATE ON billing_ledgeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER ledger_balances_kept BEFORE UPDATE ON billing_ledgeraccount
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER ledger_accounts_start_empty BEFORE INSERT ON billing_ledgeraccount
    FOR EACH ROW WHEN (NEW.balance <> 0) EXECUTE FUNCTION billing_refuse();
"""

UNDO = """
DROP TRIGGER ledger_accounts_start_empty ON billing_ledgeraccount;
DROP TRIGGER ledger_balances_kept ON billing_ledgeraccount;
DROP TRIGGER ledger_accounts_kept ON billing_ledgeraccount;
DROP TRIGGER entries_kept ON billing_entry;
DROP TRIGGER postings_kept ON billing_posting;
DROP TRIGGER entries_booked ON billing_entry;
DROP TRIGGER postings_whole ON billing_posting;
DROP FUNCTION billing_refuse();
DROP FUNCTION billing_book_entries();
DROP FUNCTION billing_check_postings();
DROP FUNCTION billing_ledger_account(text, text, text, boolean);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(LEDGER, UNDO)]
