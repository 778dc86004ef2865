-- When the installation commits, the launcher looks at once.
SELECT mesflow._wake('launcher');
