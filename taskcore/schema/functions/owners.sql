-- If a call has a credential, a router sends an owner in the place of the user's id: the name of the
-- function that finds the user, and its arguments as text (specs/005-scale-out). So the look-up and
-- the operation stay one statement of one transaction.

-- Return the user. It has only the rights of its caller. SQLSTATEs: those of the functions it calls.
CREATE OR REPLACE FUNCTION taskcore.owner_user_v1(p_owner text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_owner[1] = 'identity_user_v1' THEN
        RETURN taskcore.identity_user_v1(
            p_owner[2], p_owner[3], p_owner[4]::bigint, p_owner[5], p_owner[6]::boolean,
            p_owner[7]::boolean
        );
    ELSIF p_owner[1] = 'token_user_v1' THEN
        RETURN taskcore.token_user_v1(
            p_owner[2]::bytea, p_owner[3], p_owner[4]::bigint, p_owner[5]::boolean,
            p_owner[6]::integer
        );
    END IF;
    RAISE EXCEPTION 'the owner is not known' USING ERRCODE = '22023';
END
$$;

REVOKE ALL ON FUNCTION taskcore.owner_user_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.owner_user_v1 TO taskcore_app;

-- Return the id: the call for a caller who asks whose credential it is. A router needs a function
-- that runs on the shard, also for this.
CREATE OR REPLACE FUNCTION taskcore.user_id_v1(p_user_id bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN $1; END $$;

REVOKE ALL ON FUNCTION taskcore.user_id_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_id_v1 TO taskcore_app;
