/*
 * test_hull.c
 *		Convex hulls and tight boxes of points whose hulls are known.
 */
#include "../../src/geometry/hull.h"
#include "../../src/geometry/whole.h"
#include "shapes.h"
#include "tap.h"

/* Points, as a mesh without triangles. */
typedef struct Cloud
{
	MfMesh		mesh;
	uint32_t	room;
} Cloud;

static void
add_point(Cloud *cloud, double x, double y, double z)
{
	if (cloud->mesh.vertex_count == cloud->room)
	{
		cloud->room = cloud->room * 2 + 64;
		cloud->mesh.wide_at = checked(realloc(cloud->mesh.wide_at,
											  cloud->room * 3 *
											  sizeof(double)));
	}
	cloud->mesh.wide_at[cloud->mesh.vertex_count][0] = x;
	cloud->mesh.wide_at[cloud->mesh.vertex_count][1] = y;
	cloud->mesh.wide_at[cloud->mesh.vertex_count][2] = z;
	cloud->mesh.vertex_count++;
}

/* From -1 to 1. */
static double
any_number(uint64_t *seed)
{
	return (double) (next_random(seed) >> 11) / 4503599627370496.0 - 1;
}

/* A point of the unit ball, or of its surface. */
static void
add_of_ball(Cloud *cloud, uint64_t *seed, bool surface)
{
	double		at[3];
	double		size;

	do
	{
		size = 0;
		for (int k = 0; k < 3; k++)
		{
			at[k] = any_number(seed);
			size += at[k] * at[k];
		}
	} while (size > 1 || size < 0.01);
	size = surface ? sqrt(size) : 1;
	add_point(cloud, at[0] / size, at[1] / size, at[2] / size);
}

/* The hull of a cloud, with so much memory; nothing is left behind. */
static bool
find_hull_within(Cloud *cloud, MfPool *pool, uint64_t limit, MfHull *hull,
				 double (*box)[3])
{
	MfRefusal	refusal = {0};
	MfJob		job = {
		.refusal = &refusal,.pool = pool,.memory = {.limit = limit},.share = 1
	};
	MfHull		freed;
	bool		good;

	cloud->mesh.wide = true;
	for (int k = 0; k < 3; k++)
	{
		cloud->mesh.low[k] = INFINITY;
		cloud->mesh.high[k] = -INFINITY;
		for (uint32_t v = 0; v < cloud->mesh.vertex_count; v++)
		{
			cloud->mesh.low[k] = fmin(cloud->mesh.low[k],
									  cloud->mesh.wide_at[v][k]);
			cloud->mesh.high[k] = fmax(cloud->mesh.high[k],
									   cloud->mesh.wide_at[v][k]);
		}
	}
	good = mf_hull_find(&job, &cloud->mesh, hull);
	if (good && box != NULL)
		good = mf_box_find(&job, (const double (*)[3]) hull->at, hull->count,
						   *box);
	freed = *hull;
	hull->at = NULL;
	mf_hull_free(&job, &freed);
	mf_memory_end(&job.memory);
	if (!good)
		ok(refusal.code == MF_ERROR_OUT_OF_MEMORY, "refused for memory");
	return good && job.memory.used == 0;
}

static bool
find_hull(Cloud *cloud, MfPool *pool, MfHull *hull, double (*box)[3])
{
	return find_hull_within(cloud, pool, 0, hull, box);
}

static double
hull_volume(Cloud *cloud)
{
	MfHull		hull;

	return find_hull(cloud, NULL, &hull, NULL) ? hull.volume : NAN;
}

static void
free_cloud(Cloud *cloud)
{
	free(cloud->mesh.wide_at);
	memset(cloud, 0, sizeof(*cloud));
}

/* Turns a cloud about the axis. */
static void
turn_cloud(Cloud *cloud, int axis, double angle)
{
	for (uint32_t v = 0; v < cloud->mesh.vertex_count; v++)
	{
		double	   *at = cloud->mesh.wide_at[v];
		const double a = at[(axis + 1) % 3];
		const double b = at[(axis + 2) % 3];

		at[(axis + 1) % 3] = a * cos(angle) - b * sin(angle);
		at[(axis + 2) % 3] = a * sin(angle) + b * cos(angle);
	}
}

/* A box with n + 1 points along each edge of each side, and inside. */
static void
add_lattice(Cloud *cloud, int n, double x, double y, double z)
{
	for (int i = 0; i <= n; i++)
		for (int j = 0; j <= n; j++)
			for (int k = 0; k <= n; k++)
				add_point(cloud, x * i / n, y * j / n, z * k / n);
}

/* Every triple that has all others on one side is a face. */
static double
brute_volume(const Cloud *cloud)
{
	const uint32_t n = cloud->mesh.vertex_count;
	double		(*at)[3] = cloud->mesh.wide_at;
	double		volume = 0;

	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = a + 1; b < n; b++)
			for (uint32_t c = b + 1; c < n; c++)
			{
				double		normal[3];
				double		height = 0;
				int			above = 0;
				int			below = 0;

				for (int k = 0; k < 3; k++)
				{
					const int	i = (k + 1) % 3;
					const int	j = (k + 2) % 3;

					normal[k] = (at[b][i] - at[a][i]) * (at[c][j] - at[a][j]) -
						(at[b][j] - at[a][j]) * (at[c][i] - at[a][i]);
					height += normal[k] * at[a][k];
				}
				for (uint32_t p = 0; p < n; p++)
				{
					const double over = normal[0] * at[p][0] +
					normal[1] * at[p][1] + normal[2] * at[p][2] - height;

					if (p == a || p == b || p == c)
						continue;
					above += over > 0;
					below += over < 0;
				}
				if (above == 0)
					volume += height / 6;
				else if (below == 0)
					volume -= height / 6;
			}
	return volume;
}

static void
test_plain(void)
{
	Cloud		cloud = {0};
	MfHull		hull;

	add_lattice(&cloud, 1, 10, 20, 30);
	ok(find_hull(&cloud, NULL, &hull, NULL) && hull.volume == 6000 &&
	   hull.count == 8, "a box, exactly");
	free_cloud(&cloud);

	add_lattice(&cloud, 9, 10, 20, 30);
	ok(hull_volume(&cloud) == 6000, "a box of a thousand points");
	turn_cloud(&cloud, 0, 0.3);
	turn_cloud(&cloud, 2, 1.1);
	ok(near(hull_volume(&cloud), 6000, 1e-6), "the same, turned");
	free_cloud(&cloud);

	add_point(&cloud, 1, 1, 1);
	add_point(&cloud, 7, 1, 1);
	add_point(&cloud, 1, 7, 1);
	add_point(&cloud, 1, 1, 7);
	for (int i = 0; i < 1000; i++)
		add_point(&cloud, 1 + i % 3, 2, 1);
	ok(find_hull(&cloud, NULL, &hull, NULL) && near(hull.volume, 36, 1e-12) &&
	   hull.count == 4, "a tetrahedron, with the same points again and again");
	free_cloud(&cloud);
}

static void
test_brute(void)
{
	uint64_t	seed = 3;
	int			good = 0;

	for (int round = 0; round < 60; round++)
	{
		Cloud		cloud = {0};
		const int	n = 4 + round / 2;

		for (int i = 0; i < n; i++)
			add_of_ball(&cloud, &seed, round % 2);
		for (int i = 0; i < n; i++)
			for (int k = 0; k < 3; k++)
				cloud.mesh.wide_at[i][k] *= k == 2 ? 1e-3 : 5;
		good += near(hull_volume(&cloud), brute_volume(&cloud), 1e-6);
		free_cloud(&cloud);
	}
	ok(good == 60, "random points: as by trying all triples, %d of 60", good);
}

static void
test_flat(void)
{
	Cloud		cloud = {0};
	MfHull		hull;
	double		box[3];

	add_point(&cloud, 5, 6, 7);
	ok(find_hull(&cloud, NULL, &hull, &box) && hull.volume == 0 &&
	   hull.count == 1 && box[0] == 0 && box[1] == 0 && box[2] == 0,
	   "one point");
	for (int i = 0; i < 100; i++)
		add_point(&cloud, 5 + 3 * i, 6 + 4 * i, 7);
	ok(find_hull(&cloud, NULL, &hull, &box) && hull.volume == 0 &&
	   hull.count == 2 && near(box[0], 495, 1e-12) && box[1] < 1e-9 &&
	   box[2] == 0, "points on a line: its length is a side of the box");
	free_cloud(&cloud);

	for (int i = 0; i <= 60; i++)
		for (int j = 0; j <= 60; j++)
			add_point(&cloud, i, j, 8);
	turn_cloud(&cloud, 2, 0.4);
	ok(find_hull(&cloud, NULL, &hull, &box) && hull.volume == 0 &&
	   near(box[0], 60, 1e-9) && near(box[1], 60, 1e-9) && box[2] == 0,
	   "points in a plane");
	free_cloud(&cloud);

	for (int i = 0; i <= 60; i++)
		for (int j = 0; j <= 60; j++)
			add_point(&cloud, i, j, i + 2 * j);
	ok(find_hull(&cloud, NULL, &hull, &box) && hull.volume == 0 &&
	   hull.count >= 4, "points in a plane that is askew");
	free_cloud(&cloud);
}

static void
test_ball(void)
{
	Cloud		cloud = {0};
	MfHull		hull;
	uint64_t	seed = 11;
	uint64_t	looks[2];
	double		before = 0;
	bool		good = true;

	for (int i = 0; i < 2; i++)
	{
		const uint32_t n = i == 0 ? 20000 : 40000;

		while (cloud.mesh.vertex_count < n)
			add_of_ball(&cloud, &seed, true);
		good = good && find_hull(&cloud, NULL, &hull, NULL) &&
			hull.count >= n - n / 100 && hull.volume > before &&
			hull.volume < 4 * M_PI / 3 &&
			near(hull.volume, 4 * M_PI / 3, 20.0 / n);
		before = hull.volume;
		looks[i] = hull.looks;
	}
	ok(good, "points of a sphere are corners, but the nearest of them");
	ok(looks[1] < 100 * UINT64_C(40000) && looks[1] <= looks[0] * 2.3,
	   "twice as many take %.2f times as long, %.0f looks for each",
	   (double) looks[1] / looks[0], (double) looks[1] / 40000);
	free_cloud(&cloud);

	for (int i = 0; i < 100000; i++)
		add_of_ball(&cloud, &seed, false);
	ok(find_hull(&cloud, NULL, &hull, NULL) && hull.count < 5000 &&
	   hull.looks < 200000 && hull.volume < 4 * M_PI / 3 &&
	   hull.volume > 4, "of a full ball most points are not looked at");
	free_cloud(&cloud);
}

/* Orders and places that are made to take long. */
static void
test_hostile(void)
{
	const int	n = 30000;

	for (int kind = 0; kind < 6; kind++)
	{
		static const char *const names[] = {
			"a moment curve", "a spiral of shrinking steps", "two circles",
			"a cone's rim and tip", "two needles of points", "a helix"
		};
		Cloud		cloud = {0};
		MfHull		hull;

		for (int i = 0; i < n; i++)
		{
			const double t = (double) i / n;
			const double a = 2 * M_PI * t;

			switch (kind)
			{
				case 0:
					add_point(&cloud, t, t * t, t * t * t);
					break;
				case 1:
					add_point(&cloud, exp(-20 * t) * cos(40 * a),
							  exp(-20 * t) * sin(40 * a), exp(-30 * t));
					break;
				case 2:
					add_point(&cloud, cos(a), sin(a), i % 2);
					break;
				case 3:
					add_point(&cloud, cos(a), sin(a), i == n / 2);
					break;
				case 4:
					add_point(&cloud, i % 2 ? t : 0, i % 2 ? 0 : t,
							  i % 2 ? 0 : 1);
					break;
				default:
					add_point(&cloud, cos(9 * a), sin(9 * a), t);
			}
		}
		ok(find_hull(&cloud, NULL, &hull, NULL) && hull.volume > 0 &&
		   hull.looks < 200 * (uint64_t) n, "%s: %.1f looks for each point",
		   names[kind], (double) hull.looks / n);
		free_cloud(&cloud);
	}
}

/* A task that adds up numbers. */
static void
add_up(void *arg, uint32_t task)
{
	uint64_t   *sum = arg;

	(void) task;
	for (uint64_t n = 1; n <= 1000; n++)
		*sum += n;
}

/* A task that counts itself. */
static void
count_one(void *arg, uint32_t task)
{
	(void) task;
	(void) __atomic_fetch_add((uint32_t *) arg, 1, __ATOMIC_RELAXED);
}

/* What is done aside is done once, whatever else the pool does. */
static void
test_aside(void)
{
	for (int threads = 0; threads <= 3; threads++)
	{
		MfPool	   *pool = threads > 0 ? mf_pool_start(threads) : NULL;
		uint32_t	count = 0;
		bool		good = true;

		mf_pool_wait(pool);
		for (int turn = 0; turn < 300; turn++)
		{
			uint64_t	sum = 0;

			mf_pool_aside(pool, add_up, &sum);
			for (int run = 0; run < turn % 3; run++)
				mf_pool_run(pool, 20, count_one, &count);
			mf_pool_wait(pool);
			good &= sum == 500500;
		}
		ok(good && count == 6000, "%d threads: aside once each", threads);
		mf_pool_stop(pool);
	}
}

/* A hull that there is little memory for is nearly the same. */
static void
test_little_memory(void)
{
	Cloud		cloud = {0};
	MfHull		whole;
	MfHull		less;
	uint64_t	seed = 7;

	for (int i = 0; i < 100000; i++)
		add_of_ball(&cloud, &seed, true);
	ok(find_hull(&cloud, NULL, &whole, NULL) &&
	   find_hull_within(&cloud, NULL, UINT64_C(30) << 20, &less, NULL) &&
	   less.count < whole.count && less.count > 8000 &&
	   less.volume < whole.volume &&
	   near(less.volume, whole.volume, 1e-3),
	   "with little memory, fewer corners make the hull");
	ok(!find_hull_within(&cloud, NULL, UINT64_C(2) << 20, &less, NULL),
	   "with less, there is none");
	free_cloud(&cloud);
}

static void
test_threads(void)
{
	Cloud		cloud = {0};
	uint64_t	seed = 5;
	MfHull		hull[3];
	double		box[3][3];
	bool		good = true;

	for (int i = 0; i < 100000; i++)
		add_of_ball(&cloud, &seed, i % 2);
	for (int i = 0; i < 3; i++)
	{
		MfPool	   *pool = mf_pool_start(1 + 2 * i);

		good = good && find_hull(&cloud, pool, &hull[i], &box[i]);
		mf_pool_stop(pool);
	}
	ok(good && hull[0].volume == hull[1].volume &&
	   hull[0].volume == hull[2].volume && hull[0].looks == hull[2].looks &&
	   memcmp(box[0], box[1], sizeof(box[0])) == 0 &&
	   memcmp(box[0], box[2], sizeof(box[0])) == 0,
	   "the same bits with 1, 3 and 5 threads");
	free_cloud(&cloud);
}

static void
test_tight_boxes(void)
{
	for (int axis = 0; axis < 3; axis++)
	{
		Cloud		cloud = {0};
		MfHull		hull;
		double		box[3];
		const double sides[3] = {10, 20, 30};
		const double one = sides[(axis + 1) % 3];
		const double other = sides[(axis + 2) % 3];

		add_lattice(&cloud, 12, 10, 20, 30);
		turn_cloud(&cloud, axis, 0.7);
		ok(find_hull(&cloud, NULL, &hull, &box) &&
		   near(box[0], fmax(one, other), 1e-9) &&
		   near(box[1], fmin(one, other), 1e-9) &&
		   near(box[2], sides[axis], 1e-9),
		   "the tight box of a box turned about axis %d is it", axis);
		free_cloud(&cloud);
	}
	for (int n = 3; n < 400; n += 44)
	{
		Cloud		cloud = {0};
		MfHull		hull;
		double		box[3];

		/* Of all directions in fine steps, none is better. */
		double		best = INFINITY;

		for (int i = 0; i < n; i++)
			for (int z = 0; z < 2; z++)
				add_point(&cloud, 3 * cos(2 * M_PI * i / n) + sin(9.0 * i),
						  2 * sin(2 * M_PI * i / n) + cos(7.0 * i), 50 * z);
		for (int step = 0; step < 2000; step++)
		{
			double		low[2] = {INFINITY, INFINITY};
			double		high[2] = {-INFINITY, -INFINITY};

			for (uint32_t v = 0; v < cloud.mesh.vertex_count; v++)
				for (int k = 0; k < 2; k++)
				{
					const double angle = M_PI / 2 * (step / 2000.0 + k);
					const double far = cloud.mesh.wide_at[v][0] * cos(angle) +
					cloud.mesh.wide_at[v][1] * sin(angle);

					low[k] = fmin(low[k], far);
					high[k] = fmax(high[k], far);
				}
			best = fmin(best, (high[0] - low[0]) * (high[1] - low[1]));
		}
		ok(find_hull(&cloud, NULL, &hull, &box) && box[2] == 50 &&
		   box[0] >= box[1] && box[0] * box[1] <= best * (1 + 1e-9) &&
		   box[0] * box[1] >= best * 0.99,
		   "the tight box of %d corners: no direction of 2000 is better", n);
		free_cloud(&cloud);
	}
}

/* As a file. */
static void
test_file(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_box(&soup, 20, 0, 0, 30, 10, 10, false);
	ok(measure_soup(&soup, &m) && near(m.convex_hull_volume_mm3, 3000, 1e-9) &&
	   m.tight_box_mm[0] == 30 && m.tight_box_mm[1] == 10 &&
	   m.tight_box_mm[2] == 10, "two boxes: the hull holds what is between");
	free_soup(&soup);
}

/* Instances: as if they were laid out one by one. */
static void
test_instances(void)
{
	MfRefusal	refusal = {0};
	MfJob		job = {
		.refusal = &refusal,.unit_in_mm = 1,.share = 1,.max_triangles = 10
	};
	MfScene		scene = {0};
	MfConvex	convex = {0};
	MfMeasurement m;
	const double shift[3] = {3, 10, 0};
	const double turn[3][3] = {{0, -1, 0}, {1, 0, 0}, {0, 0, 1}};
	bool		good;

	memset(&m, 0, sizeof(m));
	good = mf_scene_add_part(&job, &scene) != NULL;
	if (good)
	{
		MfMesh	   *mesh = &scene.part[0].mesh;

		mesh->wide = true;
		good = mf_mesh_reserve_vertices(&job, mesh, 8) &&
			mf_mesh_reserve_triangles(&job, mesh, 1);
		for (int i = 0; good && i < 8; i++)
			for (int k = 0; k < 3; k++)
				mesh->wide_at[i][k] = i >> k & 1 ? 2 + k : 0;
		mesh->vertex_count = 8;
		mesh->triangle_count = 1;
		for (int i = 0; good && i < 3; i++)
			mesh->corners[0][i] = i;
	}
	good = good && mf_scene_place(&job, &scene, 0, NULL, NULL) &&
		mf_scene_place(&job, &scene, 0, turn, shift) &&
		mf_scene_settle(&job, &scene) &&
		mf_convex_begin(&job, &scene, &convex) &&
		mf_convex_end(&job, &scene, &convex, &m);

	/* A prism: over 0, 0; 2, 0; 3, 10; 3, 12; 0, 12. */
	ok(good && near(m.convex_hull_volume_mm3, 31 * 4, 1e-9) &&
	   m.tight_box_mm[0] * m.tight_box_mm[1] * m.tight_box_mm[2] <= 36 * 4,
	   "two instances, one of them turned");
	mf_scene_free(&job, &scene);
	ok(job.memory.used == 0, "and all memory is given back");
}

int
main(void)
{
	test_plain();
	test_brute();
	test_flat();
	test_ball();
	test_hostile();
	test_threads();
	test_aside();
	test_little_memory();
	test_tight_boxes();
	test_file();
	test_instances();
	return tap_done();
}
