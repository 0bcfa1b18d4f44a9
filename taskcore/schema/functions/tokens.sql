-- API tokens: secrets by which programs act for a user. The database stores only their SHA-256,
-- and no function returns it. Browser sessions and sign-in links are rows of the same table, with
-- scopes that no API token has (sessions.sql).
--
-- token_user_v1 is bound to the token that was presented, as identity_user_v1 is to an identity.
-- The other functions are bound to the user whose tokens they are.

GRANT CREATE ON SCHEMA taskcore TO taskcore_authenticator, taskcore_definer;
SET LOCAL ROLE taskcore_authenticator;

-- Return the user of a token. It is nested in the call of an operation, so that both are one
-- statement: SELECT … FROM task_get_v1(token_user_v1($1, …, $5), $6).
-- SQLSTATE TC411: there is no such token, or it has expired, or its user is blocked. The text is
-- the same for all of these.
-- p_scope: the scope that the operation needs. A token without it: TC413, with the scope in
-- DETAIL. Null: every token gets TC413.
-- p_user_id: the user that the request names, or null. If the token is another user's: TC404.
-- p_creates: the operation creates tasks. Then the user's row is locked, so that no deletion
-- comes between this function and the operation.
-- p_place: the user's place, by which a router finds the token. It is not used here.
-- The day of the last use is written at most once a day, and not by a database that takes no
-- writes (transaction_read_only is on in a standby). SKIP LOCKED: no call waits for another.
CREATE OR REPLACE FUNCTION taskcore.token_user_v1(
    p_hash bytea, p_scope text, p_user_id bigint, p_creates boolean DEFAULT false,
    p_place integer DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_user_id bigint;
    v_scopes text[];
    v_blocked boolean;
    v_used date;
    v_today date;
BEGIN
    IF p_hash IS NULL OR pg_catalog.octet_length(p_hash) <> 32 THEN
        RAISE EXCEPTION 'the hash must have 32 bytes' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.token', p_hash::text, true);
    SELECT c.user_id, c.scopes, c.last_used_on INTO v_user_id, v_scopes, v_used
        FROM taskcore.tokens AS c
        WHERE c.hash = p_hash
          AND (c.expires_at IS NULL OR c.expires_at > pg_catalog.clock_timestamp());
    IF v_user_id IS NOT NULL THEN
        v_bound := pg_catalog.set_config('taskcore.user_id', v_user_id::text, true);
        IF p_creates THEN
            SELECT u.blocked_at IS NOT NULL INTO v_blocked
                FROM taskcore.users AS u
                WHERE u.id = v_user_id
                FOR KEY SHARE;
        ELSE
            SELECT u.blocked_at IS NOT NULL INTO v_blocked
                FROM taskcore.users AS u
                WHERE u.id = v_user_id;
        END IF;
    END IF;
    IF v_blocked IS DISTINCT FROM false THEN
        RAISE EXCEPTION 'the token is not accepted' USING ERRCODE = 'TC411';
    ELSIF p_scope IS NULL OR p_scope <> ALL (v_scopes) THEN
        RAISE EXCEPTION 'the token lacks a scope'
            USING ERRCODE = 'TC413', DETAIL = COALESCE(p_scope, '');
    ELSIF p_user_id <> v_user_id THEN
        RAISE EXCEPTION 'user not found' USING ERRCODE = 'TC404';
    END IF;
    v_today := (pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')::date;
    IF COALESCE(v_used < v_today, true)
        AND pg_catalog.current_setting('transaction_read_only') = 'off'
    THEN
        PERFORM FROM taskcore.tokens AS c
            WHERE c.hash = p_hash AND COALESCE(c.last_used_on < v_today, true)
            FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            UPDATE taskcore.tokens AS c SET last_used_on = v_today WHERE c.hash = p_hash;
        END IF;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
    v_bound := pg_catalog.set_config('taskcore.token', '', true);
    RETURN v_user_id;
END
$$;

REVOKE ALL ON FUNCTION taskcore.token_user_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.token_user_v1 TO taskcore_app;

SET LOCAL ROLE taskcore_definer;

-- Create a token that lasts p_minutes, or for ever if that is null. The user's first token creates
-- the user. The hash is the key, so a repeated call returns the stored token. No row: the hash
-- or the id is taken. The place becomes a part of the secret's text. Expired tokens of the user are removed. The user's row is locked, so that
-- calls at the same time cannot exceed the limit together: SQLSTATE TC004, with it in DETAIL.
CREATE OR REPLACE FUNCTION taskcore.token_create_v1(
    p_user_id bigint, p_hash bytea, p_id bigint, p_name text, p_scopes text[], p_minutes integer
) RETURNS TABLE (
    id bigint, name text, scopes text[],
    created_at timestamptz, expires_at timestamptz, last_used_on date, place integer
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    INSERT INTO taskcore.users (id) VALUES (p_user_id) ON CONFLICT DO NOTHING;
    PERFORM FROM taskcore.users AS u WHERE u.id = p_user_id FOR NO KEY UPDATE;
    PERFORM FROM taskcore.tokens AS k WHERE k.user_id = p_user_id AND k.hash = p_hash;
    IF NOT FOUND THEN
        DELETE FROM taskcore.tokens AS k
            WHERE k.user_id = p_user_id AND k.expires_at <= pg_catalog.clock_timestamp();
        IF (SELECT pg_catalog.count(*) FROM taskcore.tokens AS k WHERE k.user_id = p_user_id) >= 100
        THEN
            RAISE EXCEPTION 'the user has too many tokens' USING ERRCODE = 'TC004', DETAIL = '100';
        END IF;
        INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, minutes, expires_at)
            VALUES (p_hash, p_user_id, p_id, p_name, p_scopes, p_minutes,
                    pg_catalog.now() + pg_catalog.make_interval(mins => p_minutes))
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY
        SELECT k.id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used_on,
               taskcore.user_place(p_user_id)
        FROM taskcore.tokens AS k
        WHERE k.user_id = p_user_id AND k.hash = p_hash;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.token_create_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.token_create_v1 TO taskcore_app;

-- Replace a token of the user: create one with the same name, scopes and lifetime. The old token
-- then ends after 24 hours, or when it would have ended if that is sooner. Repeated calls and the
-- limit: as in token_create_v1. No row: the user has no such token, or it has expired, or it is a
-- session or a sign-in link, whose rights an API token must not get. SQLSTATE TC006: the token was
-- replaced before.
CREATE OR REPLACE FUNCTION taskcore.token_rotate_v1(
    p_user_id bigint, p_id bigint, p_hash bytea, p_new_id bigint
) RETURNS TABLE (
    id bigint, name text, scopes text[],
    created_at timestamptz, expires_at timestamptz, last_used_on date, place integer
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_old taskcore.tokens;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    PERFORM FROM taskcore.users AS u WHERE u.id = p_user_id FOR NO KEY UPDATE;
    PERFORM FROM taskcore.tokens AS k WHERE k.user_id = p_user_id AND k.hash = p_hash;
    IF NOT FOUND THEN
        DELETE FROM taskcore.tokens AS k
            WHERE k.user_id = p_user_id AND k.expires_at <= pg_catalog.clock_timestamp();
        SELECT k.* INTO v_old FROM taskcore.tokens AS k
            WHERE k.user_id = p_user_id AND k.id = p_id
              AND k.scopes <@ ARRAY['tasks:read', 'tasks:write'];
        IF v_old.is_replaced THEN
            RAISE EXCEPTION 'the token was replaced before' USING ERRCODE = 'TC006';
        ELSIF FOUND THEN
            IF (SELECT pg_catalog.count(*) FROM taskcore.tokens AS k
                WHERE k.user_id = p_user_id) >= 100
            THEN
                RAISE EXCEPTION 'the user has too many tokens'
                    USING ERRCODE = 'TC004', DETAIL = '100';
            END IF;
            INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, minutes, expires_at)
                VALUES (p_hash, p_user_id, p_new_id, v_old.name, v_old.scopes, v_old.minutes,
                        pg_catalog.now() + pg_catalog.make_interval(mins => v_old.minutes))
                ON CONFLICT DO NOTHING;
            IF FOUND THEN
                -- LEAST ignores null: a token without an end gets one.
                UPDATE taskcore.tokens AS k
                    SET is_replaced = true,
                        expires_at = LEAST(k.expires_at,
                                           pg_catalog.now() + pg_catalog.make_interval(hours => 24))
                    WHERE k.user_id = p_user_id AND k.id = p_id;
            END IF;
        END IF;
    END IF;
    RETURN QUERY
        SELECT k.id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used_on,
               taskcore.user_place(p_user_id)
        FROM taskcore.tokens AS k
        WHERE k.user_id = p_user_id AND k.hash = p_hash;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.token_rotate_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.token_rotate_v1 TO taskcore_app;

-- List the user's tokens, the newest first. The limit of tokens keeps the list short.
CREATE OR REPLACE FUNCTION taskcore.token_list_v1(
    p_user_id bigint
) RETURNS TABLE (
    id bigint, name text, scopes text[],
    created_at timestamptz, expires_at timestamptz, last_used_on date
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    RETURN QUERY
        SELECT k.id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used_on
        FROM taskcore.tokens AS k
        WHERE k.user_id = p_user_id
        ORDER BY k.created_at DESC, k.id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.token_list_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.token_list_v1 TO taskcore_app;

-- Delete a token of the user, so that it is refused from the next call on.
-- No row: the user has no such token.
CREATE OR REPLACE FUNCTION taskcore.token_delete_v1(
    p_user_id bigint, p_id bigint
) RETURNS TABLE (id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    RETURN QUERY
        DELETE FROM taskcore.tokens AS k
        WHERE k.user_id = p_user_id AND k.id = p_id
        RETURNING k.id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.token_delete_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.token_delete_v1 TO taskcore_app;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_authenticator, taskcore_definer;
