-- What programs ask of PostgreSQL's catalog when they connect and list what there is: each construct of theirs that is not
-- plain SQL, a statement a paragraph. DBeaver, Metabase, Superset and drivers are named where only one asks so.
select current_schema(), session_user

select version()

show search_path

show transaction isolation level

show timezone

set session characteristics as transaction isolation level read uncommitted

-- DBeaver: schemas with their descriptions.
select n.oid, n.*, d.description from pg_catalog.pg_namespace n
left outer join pg_catalog.pg_description d
    on d.objoid = n.oid and d.objsubid = 0 and d.classoid = 'pg_namespace'::regclass
order by nspname

-- pgjdbc: the type of a column of a kind that it does not know.
select n.nspname = any(current_schemas(true)), n.nspname, t.typname
from pg_catalog.pg_type t join pg_catalog.pg_namespace n on t.typnamespace = n.oid where t.oid = 1034

select db.oid, db.* from pg_catalog.pg_database db where datname = 'events'

select * from pg_catalog.pg_settings where name = 'standard_conforming_strings'

select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> all ('{a,abs,all,and,any,as,by,select}')

select * from pg_catalog.pg_enum where 1 <> 1 limit 1

select reltype from pg_catalog.pg_class where 1 <> 1 limit 1

-- DBeaver: all types.
select t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
from pg_catalog.pg_type t
left outer join pg_catalog.pg_type et on et.oid = t.typelem
left outer join pg_catalog.pg_class c on c.oid = t.typrelid
left outer join pg_catalog.pg_description d on t.oid = d.objoid
where t.typname is not null and (c.relkind is null or c.relkind = 'c')
    and (et.typcategory is null or et.typcategory <> 'C')

-- DBeaver: the tables of a schema.
select c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,
    pg_catalog.pg_get_partkeydef(c.oid) as partition_key
from pg_catalog.pg_class c
left outer join pg_catalog.pg_description d
    on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
where c.relnamespace = 11 and c.relkind not in ('i', 'I', 'c')

-- DBeaver: the columns of a table.
select c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value, dsc.description, dep.objid
from pg_catalog.pg_attribute a
inner join pg_catalog.pg_class c on (a.attrelid = c.oid)
left outer join pg_catalog.pg_attrdef ad on (a.attrelid = ad.adrelid and a.attnum = ad.adnum)
left outer join pg_catalog.pg_description dsc on (c.oid = dsc.objoid and a.attnum = dsc.objsubid)
left outer join pg_depend dep
    on dep.refobjid = a.attrelid and dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid
where not a.attisdropped and c.oid = 16400 order by a.attnum

-- DBeaver: the indexes of a table.
select i.*, i.indkey as keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname as tabrelname,
    dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,
    pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,
    pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,
    pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans
from pg_catalog.pg_index i
inner join pg_catalog.pg_class c on c.oid = i.indexrelid
inner join pg_catalog.pg_class tc on tc.oid = i.indrelid
left outer join pg_catalog.pg_description dsc on i.indexrelid = dsc.objoid
where i.indrelid = 1 order by tabrelname, c.relname

-- DBeaver: the constraints of a table.
select c.oid, c.*, t.relname as tabrelname, rt.relnamespace as refnamespace, d.description,
    case when c.contype = 'c' then "substring"(pg_get_constraintdef(c.oid), 7) else null end consrc_copy
from pg_catalog.pg_constraint c
inner join pg_catalog.pg_class t on t.oid = c.conrelid
left outer join pg_catalog.pg_class rt on rt.oid = c.confrelid
left outer join pg_catalog.pg_description d
    on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_constraint'::regclass
where c.conrelid = 1 order by c.oid

-- Metabase: schemas.
select nspname as "TABLE_SCHEM", current_database() as "TABLE_CATALOG" from pg_catalog.pg_namespace
where nspname <> 'pg_toast'
    and (nspname !~ '^pg_temp_' or nspname = (pg_catalog.current_schemas(true))[1])
    and (nspname !~ '^pg_toast_temp_'
        or nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_'))
order by "TABLE_SCHEM"

-- Metabase: what may be read.
with may as (
    select null as role, t.schemaname as schema, t.objectname as table,
        pg_catalog.has_any_column_privilege(
            current_user, '"' || replace(t.schemaname, '"', '""') || '".' || '"' || t.objectname || '"', 'select'
        ) as select,
        pg_catalog.has_table_privilege(
            current_user, '"' || replace(t.schemaname, '"', '""') || '".' || '"' || t.objectname || '"', 'delete'
        ) as delete
    from (
        select schemaname, tablename as objectname from pg_catalog.pg_tables
        union select schemaname, viewname as objectname from pg_catalog.pg_views
        union select schemaname, matviewname as objectname from pg_catalog.pg_matviews
    ) t
    where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema'
        and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')
)
select t.* from may t

-- Metabase: tables.
select "n"."nspname" as "schema", "c"."relname" as "name",
    case "c"."relkind" when 'r' then 'TABLE' when 'v' then 'VIEW' else null end as "type",
    "d"."description" as "description", "stat"."n_live_tup" as "estimated_row_count"
from "pg_catalog"."pg_class" as "c"
inner join "pg_catalog"."pg_namespace" as "n" on "c"."relnamespace" = "n"."oid"
left join "pg_catalog"."pg_description" as "d"
    on ("c"."oid" = "d"."objoid") and ("d"."objsubid" = '0') and ("d"."classoid" = 'pg_class'::regclass)
left join "pg_stat_user_tables" as "stat"
    on ("n"."nspname" = "stat"."schemaname") and ("c"."relname" = "stat"."relname")
where ("c"."relnamespace" = "n"."oid") and ("n"."nspname" !~ '^pg_') and ("n"."nspname" <> 'information_schema')
    and c.relkind in ('r', 'p', 'v', 'f', 'm') and ("n"."nspname" in ('public'))
order by "type" asc, "schema" asc, "name" asc

-- Metabase: columns.
select "c"."column_name" as "name",
    case when "c"."udt_schema" in ('public', 'pg_catalog') then format('%s', "c"."udt_name")
        else format('"%s"."%s"', "c"."udt_schema", "c"."udt_name") end as "database-type",
    "c"."ordinal_position" - 1 as "database-position", "c"."table_schema" as "table-schema",
    "c"."table_name" as "table-name", "pk"."column_name" is not null as "pk?",
    col_description(
        cast(cast(format('%I.%I', cast("c"."table_schema" as text), cast("c"."table_name" as text)) as regclass) as oid),
        "c"."ordinal_position"
    ) as "field-comment",
    (("column_default" is null) or (lower("column_default") = 'null')) and ("is_nullable" = 'NO')
        as "database-required",
    (("column_default" is not null) and ("column_default" like '%nextval(%')) or ("is_identity" <> 'NO')
        as "database-is-auto-increment"
from "information_schema"."columns" as "c"
left join (
    select "tc"."table_schema", "tc"."table_name", "kc"."column_name"
    from "information_schema"."table_constraints" as "tc"
    inner join "information_schema"."key_column_usage" as "kc"
        on ("tc"."constraint_name" = "kc"."constraint_name") and ("tc"."table_schema" = "kc"."table_schema")
            and ("tc"."table_name" = "kc"."table_name")
    where "tc"."constraint_type" = 'PRIMARY KEY'
) as "pk"
    on ("c"."table_schema" = "pk"."table_schema") and ("c"."table_name" = "pk"."table_name")
        and ("c"."column_name" = "pk"."column_name")
where c.table_schema !~ '^information_schema|catalog_history|pg_' and ("c"."table_schema" in ('public'))
order by "table-schema" asc, "table-name" asc, "database-position" asc

-- Metabase: enumerations.
select nspname, typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
where t.oid in (select distinct enumtypid from pg_enum e)

-- Superset: the tables of a schema, as SQLAlchemy asks.
select pg_catalog.pg_class.relname from pg_catalog.pg_class
join pg_catalog.pg_namespace on pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
where pg_catalog.pg_class.relkind = any (array['r', 'p']) and pg_catalog.pg_class.relpersistence != 't'
    and pg_catalog.pg_namespace.nspname = 'public'
