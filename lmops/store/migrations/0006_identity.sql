-- Checksums of rows that answers rest on: SQLite's pages have none. NULL in rows written before: unchecked.
alter table inbox add column checksum integer;
alter table dead_rows add column seal integer;
alter table segments add column seal integer;

-- "generation": the state of the manifest ("manifest" in counters) that first listed the file, which its footer says
-- as well; NULL for files of older stores, which have no such footer. "rev": the highest revision of its rows.
alter table segments add column generation integer;
alter table segments add column rev integer;

-- "segments": how many files the manifest lists, so that a row that is gone is missed.
insert into counters values ('segments', (select count(*) from segments));

-- "commits": write transactions so far; the file "acknowledged" says how many were acknowledged.
insert into counters values ('commits', 0);
