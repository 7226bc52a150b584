-- A run of a runbook is written down before its first cell: by whom it is held, and which event says that it began.
alter table runbook_runs add column changes text;
alter table runbook_runs add column event_id integer;
alter table runbook_runs add column pid integer;
alter table runbook_runs add column pid_started text;
alter table runbook_runs add column host text;
alter table runbook_runs add column heartbeat_ns integer;
create index runbook_runs_running on runbook_runs (run_id) where status = 'running';
