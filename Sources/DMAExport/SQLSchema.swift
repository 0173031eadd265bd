// SPDX-License-Identifier: MIT

/// The tables and views of a database; docs/SQL.md tells what they are for.
enum SQLSchema {
  static let name = "dmatop.sqlite/1"

  static let tables = """
    CREATE TABLE meta (
      name TEXT PRIMARY KEY,
      value TEXT
    ) WITHOUT ROWID;
    CREATE TABLE drivers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE symbols (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE stack_frames (
      stack INTEGER NOT NULL,
      depth INTEGER NOT NULL,
      symbol INTEGER NOT NULL REFERENCES symbols (id),
      PRIMARY KEY (stack, depth)
    ) WITHOUT ROWID;
    CREATE TABLE devices (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      driver TEXT NOT NULL,
      maps INTEGER NOT NULL,
      unmaps INTEGER NOT NULL,
      syncs INTEGER NOT NULL,
      errors INTEGER NOT NULL,
      failed_maps INTEGER NOT NULL,
      bounces INTEGER NOT NULL,
      live INTEGER NOT NULL,
      live_bytes INTEGER NOT NULL,
      peak_live INTEGER NOT NULL,
      peak_bytes INTEGER NOT NULL,
      bytes INTEGER NOT NULL
    );
    CREATE TABLE events (
      event INTEGER PRIMARY KEY,
      line INTEGER NOT NULL,
      time_ns INTEGER NOT NULL,
      cpu INTEGER NOT NULL,
      task INTEGER REFERENCES tasks (id),
      pid INTEGER,
      kind TEXT NOT NULL,
      device INTEGER REFERENCES devices (id),
      dir TEXT,
      dma_addr INTEGER,
      size INTEGER,
      phys_addr INTEGER,
      cpu_addr INTEGER,
      attrs TEXT,
      sg_nents INTEGER,
      sg_ents INTEGER,
      driver INTEGER REFERENCES drivers (id),
      caller INTEGER REFERENCES symbols (id),
      action INTEGER,
      text TEXT,
      stack INTEGER
    );
    CREATE TABLE mappings (
      id INTEGER PRIMARY KEY,
      device INTEGER NOT NULL REFERENCES devices (id),
      driver INTEGER REFERENCES drivers (id),
      type TEXT NOT NULL,
      dir TEXT NOT NULL,
      dma_addr INTEGER NOT NULL,
      size INTEGER NOT NULL,
      phys_addr INTEGER,
      cpu_addr INTEGER,
      attrs TEXT NOT NULL,
      sg_nents INTEGER,
      sg_ents INTEGER,
      state TEXT NOT NULL,
      map_error TEXT NOT NULL,
      map_event INTEGER REFERENCES events (event),
      map_time_ns INTEGER NOT NULL,
      map_site INTEGER REFERENCES sites (id),
      map_stack INTEGER,
      map_task INTEGER REFERENCES tasks (id),
      map_pid INTEGER,
      map_cpu INTEGER,
      unmap_event INTEGER REFERENCES events (event),
      unmap_time_ns INTEGER,
      unmap_site INTEGER REFERENCES sites (id),
      unmap_stack INTEGER,
      unmap_task INTEGER REFERENCES tasks (id),
      unmap_pid INTEGER,
      unmap_cpu INTEGER,
      lifetime_ns INTEGER
    );
    CREATE TABLE findings (
      id INTEGER PRIMARY KEY,
      rule TEXT NOT NULL,
      name TEXT NOT NULL,
      severity TEXT NOT NULL,
      message TEXT NOT NULL,
      device TEXT,
      driver TEXT,
      site TEXT,
      event INTEGER REFERENCES events (event),
      line INTEGER,
      time_ns INTEGER,
      task TEXT,
      pid INTEGER,
      map_site TEXT,
      map_event INTEGER REFERENCES events (event),
      count INTEGER NOT NULL,
      fingerprint TEXT NOT NULL
    );
    """

  static let indices = """
    CREATE INDEX events_device ON events (device);
    CREATE INDEX mappings_device ON mappings (device);
    CREATE INDEX mappings_map_site ON mappings (map_site);
    CREATE INDEX mappings_live ON mappings (state) WHERE state = 'live';
    CREATE INDEX findings_rule ON findings (rule);
    """

  static let views = """
    CREATE VIEW event_list AS
      SELECT e.event, e.line, e.time_ns, e.cpu, t.name AS task, e.pid, e.kind, d.name AS device,
        e.dir, CASE WHEN e.dma_addr IS NOT NULL THEN printf('0x%x', e.dma_addr) END AS dma_addr,
        e.size,
        CASE WHEN e.phys_addr IS NOT NULL THEN printf('0x%x', e.phys_addr) END AS phys_addr,
        CASE WHEN e.cpu_addr IS NOT NULL THEN printf('0x%x', e.cpu_addr) END AS cpu_addr,
        e.attrs, e.sg_nents, e.sg_ents, v.name AS driver, s.name AS caller, e.action, e.text
      FROM events e
        LEFT JOIN tasks t ON t.id = e.task
        LEFT JOIN devices d ON d.id = e.device
        LEFT JOIN drivers v ON v.id = e.driver
        LEFT JOIN symbols s ON s.id = e.caller;
    CREATE VIEW mapping_list AS
      SELECT m.id, d.name AS device, v.name AS driver, m.type, m.dir,
        printf('0x%x', m.dma_addr) AS dma_addr, m.size,
        CASE WHEN m.phys_addr IS NOT NULL THEN printf('0x%x', m.phys_addr) END AS phys_addr,
        m.attrs, m.state, m.map_error, m.map_event, m.map_time_ns, ms.name AS map_site,
        mt.name AS map_task, m.map_pid, m.unmap_event, m.unmap_time_ns, us.name AS unmap_site,
        ut.name AS unmap_task, m.unmap_pid, m.lifetime_ns
      FROM mappings m
        JOIN devices d ON d.id = m.device
        LEFT JOIN drivers v ON v.id = m.driver
        LEFT JOIN sites ms ON ms.id = m.map_site
        LEFT JOIN sites us ON us.id = m.unmap_site
        LEFT JOIN tasks mt ON mt.id = m.map_task
        LEFT JOIN tasks ut ON ut.id = m.unmap_task;
    CREATE VIEW live_mappings AS
      SELECT * FROM mapping_list WHERE state = 'live';
    CREATE VIEW leaks_by_site AS
      SELECT driver, device, coalesce(map_site, '?') AS map_site, count(*) AS mappings,
        sum(size) AS bytes, min(map_time_ns) AS first_ns, max(map_time_ns) AS last_ns
      FROM live_mappings GROUP BY driver, device, map_site;
    CREATE VIEW longest_lived AS
      SELECT id, device, driver, type, dir, dma_addr, size, state, map_event, unmap_event, map_site,
        coalesce(lifetime_ns,
          coalesce(unmap_time_ns,
            (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_time_ns')) - map_time_ns)
          AS age_ns
      FROM mapping_list;
    CREATE VIEW errors_by_rule AS
      SELECT rule, name, severity, driver, count(*) AS findings, sum(count) AS times
      FROM findings GROUP BY rule, name, severity, driver;
    CREATE VIEW churn_by_site AS
      SELECT driver, device, coalesce(map_site, '?') AS map_site, count(*) AS mappings,
        sum(size) AS bytes, CAST(avg(lifetime_ns) AS INTEGER) AS mean_lifetime_ns,
        max(lifetime_ns) AS longest_ns
      FROM mapping_list GROUP BY driver, device, map_site;
    CREATE VIEW bytes_by_driver AS
      WITH span AS (
        SELECT
          (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'first_time_ns') AS first,
          (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_time_ns') AS last
      ), changes AS (
        SELECT driver, map_time_ns AS time_ns, size AS bytes FROM mappings
        UNION ALL
        SELECT driver, unmap_time_ns, -size FROM mappings WHERE unmap_time_ns IS NOT NULL
      ), buckets AS (
        SELECT driver, (time_ns - first) / ((last - first) / 100 + 1) AS bucket,
          sum(bytes) AS change
        FROM changes, span GROUP BY driver, bucket
      )
      SELECT coalesce(v.name, '?') AS driver, b.bucket,
        first + b.bucket * ((last - first) / 100 + 1) AS time_ns, b.change,
        sum(b.change) OVER (PARTITION BY b.driver ORDER BY b.bucket) AS live_bytes
      FROM buckets b, span LEFT JOIN drivers v ON v.id = b.driver;
    """
}
