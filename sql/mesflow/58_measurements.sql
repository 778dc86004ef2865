-- The facts, as people read them and as pricing functions get them.

CREATE VIEW measurements AS
  SELECT m.id AS model, r.triangles, r.vertices, r.volume_mm3, r.area_mm2, r.bbox_min, r.bbox_max, r.bodies, r.cavities, r.watertight,
         r.consistent_winding, r.euler_number, r.defects, r.repairs, r.min_wall_mm, r.overhang_area_mm2, r.support_volume_mm3,
         r.convex_hull_volume_mm3, r.centroid, r.measured_in_ms, r.engine_version,
         r.trapped_volume_mm3, r.overlap_volume_mm3, r.holes, r.min_wall_at, r.wall_samples, r.wall_mm, r.tight_box_mm,
         r.layer_area_mm2, r.layer_perimeter_mm, r.layer_up_mm2, r.layer_down_mm2
    FROM _models m
   CROSS JOIN LATERAL (SELECT * FROM _measurements r WHERE r.sha256 = m.sha256 AND r.unit = m.unit
                        ORDER BY r.engine_version DESC LIMIT 1) r
   WHERE r.error_code IS NULL;
COMMENT ON VIEW measurements IS 'The geometric facts of measured models; lengths in mm, NULL where a fact is not known.';
COMMENT ON COLUMN measurements.model IS 'the model';
COMMENT ON COLUMN measurements.triangles IS 'triangles in the file, degenerate ones included';
COMMENT ON COLUMN measurements.vertices IS 'different corners, compared exactly';
COMMENT ON COLUMN measurements.volume_mm3 IS 'volume in mm3, after repair; NULL where the surface is open';
COMMENT ON COLUMN measurements.area_mm2 IS 'surface in mm2';
COMMENT ON COLUMN measurements.bbox_min IS 'lowest corner of the bounding box, mm, the file''s own axes';
COMMENT ON COLUMN measurements.bbox_max IS 'highest corner of the bounding box, mm';
COMMENT ON COLUMN measurements.bodies IS 'shells joined by edges, cavities not counted';
COMMENT ON COLUMN measurements.cavities IS 'shells that face inward inside a body';
COMMENT ON COLUMN measurements.watertight IS 'does every edge join exactly two triangles?';
COMMENT ON COLUMN measurements.consistent_winding IS 'do neighbours face the same way?';
COMMENT ON COLUMN measurements.euler_number IS 'vertices - edges + triangles of the welded surface';
COMMENT ON COLUMN measurements.defects IS 'array of {code, severity, count, at, repaired, message}';
COMMENT ON COLUMN measurements.repairs IS 'array of {code, count}: what the numbers take as repaired';
COMMENT ON COLUMN measurements.min_wall_mm IS 'thinnest wall, mm; NULL: not measured';
COMMENT ON COLUMN measurements.overhang_area_mm2 IS 'area that overhangs by more than 45 degrees, mm2; NULL: not measured';
COMMENT ON COLUMN measurements.support_volume_mm3 IS 'volume of support columns, mm3; NULL: not measured';
COMMENT ON COLUMN measurements.convex_hull_volume_mm3 IS 'volume of the convex hull, mm3; NULL: not measured';
COMMENT ON COLUMN measurements.centroid IS 'centre of mass, mm; NULL where there is no volume';
COMMENT ON COLUMN measurements.measured_in_ms IS 'time the engine took';
COMMENT ON COLUMN measurements.engine_version IS 'version of the geometry engine';
COMMENT ON COLUMN measurements.trapped_volume_mm3 IS 'volume of cavities, mm3: powder or resin stays in them; NULL: not measured';
COMMENT ON COLUMN measurements.overlap_volume_mm3 IS 'volume where bodies overlap, counted more than once in volume_mm3, mm3; NULL: not measured';
COMMENT ON COLUMN measurements.holes IS 'closed chains of open edges in the file; NULL: not measured';
COMMENT ON COLUMN measurements.min_wall_at IS 'where the thinnest wall is, mm, the file''s own axes; NULL: not measured';
COMMENT ON COLUMN measurements.wall_samples IS 'places where walls were measured; fewer than triangles: a sample';
COMMENT ON COLUMN measurements.wall_mm IS
  'wall thickness in mm that 0, 1, 5, 10, 25, 50, 75, 90 and 100 % of the surface is below or at; NULL: not measured';
COMMENT ON COLUMN measurements.tight_box_mm IS
  'sides in mm of the smallest box that stands on one of the axes and is turned about it: the two turned ones, the longer first, then the height; NULL: not measured';
COMMENT ON COLUMN measurements.layer_area_mm2 IS
  'the model cut into 256 layers of equal height, from the lowest: average area of the cross section, mm2; NULL: not measured, or no volume';
COMMENT ON COLUMN measurements.layer_perimeter_mm IS 'average length of the outline of each layer, mm';
COMMENT ON COLUMN measurements.layer_up_mm2 IS 'surface in each layer that faces up, as seen from above, mm2';
COMMENT ON COLUMN measurements.layer_down_mm2 IS 'surface in each layer that faces down, as seen from below, mm2';
