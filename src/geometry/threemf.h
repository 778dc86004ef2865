/*
 * threemf.h
 *		What the files of the 3MF reader share: the package, its objects, and
 *		what refers to them.
 *
 * "3MF Core Specification" 1.3 and "3MF Production Extension" 1.1, of the
 * 3MF Consortium, say what the words mean.
 */
#ifndef MF_THREEMF_H
#define MF_THREEMF_H

#include "scene.h"
#include "xml.h"
#include "zip.h"

#define MF_3MF_CORE \
	"http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
#define MF_3MF_PRODUCTION \
	"http://schemas.microsoft.com/3dmanufacturing/production/2015/06"

/* Objects of all files of a package, and of one, components in each other. */
#define MF_3MF_MAX_OBJECTS		100000
#define MF_3MF_MAX_DEPTH		64

/* Entries of metadata of a file, and bytes of the name of one. */
#define MF_3MF_MAX_METADATA		1000
#define MF_3MF_MAX_NAME			1024

/* Ids are from 1 to 2^31 - 1. */
#define MF_3MF_MAX_ID			INT32_MAX

/* An object's mesh is this part of the scene; or it has components. */
#define MF_3MF_NO_PART			UINT32_MAX

typedef struct Mf3mfObject
{
	uint32_t	file;
	uint32_t	id;
	uint32_t	order;			/* as the files have them */
	bool		counts;			/* of the type "model" */
	bool		other;			/* of the type "other" */
	uint32_t	part;
	uint32_t	first_component;
	uint32_t	component_count;
	uint32_t	leaves;			/* meshes in it; more than MF_MAX_INSTANCES:
								 * too many */
	uint8_t		depth;
	uint8_t		seen;			/* used by threemf_build.c */
} Mf3mfObject;

/* A component, or an item of the build section. */
typedef struct Mf3mfUse
{
	uint32_t	file;			/* that the object is in */
	uint32_t	id;
	uint32_t	object;			/* when all files have been read */
	double		linear[3][3];	/* out[i] = sum of linear[i][k] * in[k] */
	double		shift[3];
} Mf3mfUse;

typedef struct Mf3mfUses
{
	Mf3mfUse   *use;
	uint32_t	count;
	uint32_t	room;
} Mf3mfUses;

/* One model part of the package, with objects. */
typedef struct Mf3mfFile
{
	const MfZipEntry *entry;
	MfUnit		unit;
	uint32_t	first_object;	/* of the package's, which are sorted by id */
	uint32_t	object_count;
} Mf3mfFile;

typedef struct Mf3mf
{
	MfJob	   *job;
	MfScene    *scene;
	MfZip		zip;
	uint32_t   *file_of_entry;	/* + 1; 0: not needed so far */
	Mf3mfFile  *file;			/* the first is the root */
	uint32_t	file_count;
	uint32_t	file_room;
	Mf3mfObject *object;
	uint32_t	object_count;
	uint32_t	object_room;
	Mf3mfUses	components;
	Mf3mfUses	items;
	uint64_t	triangles;		/* of all meshes */
	void	   *scratch;		/* of threemf_run.c */
	uint64_t	scratch_bytes;
} Mf3mf;

/* ---- threemf.c ---- */

extern bool mf_threemf_read(MfJob *job, MfScene *scene);

/* Makes room for one more of an array.  False: refused. */
extern bool mf_threemf_grow(MfJob *job, void **array, uint32_t count,
							uint32_t *room, uint64_t each);

/* ---- threemf_package.c ---- */

/* The entry of the model part that the package starts with. */
extern const MfZipEntry *mf_threemf_start(Mf3mf *threemf);

/* The number of the file of that part, new or not.  False: refused. */
extern bool mf_threemf_file(Mf3mf *threemf, const MfZipEntry *entry,
							uint32_t *file);

/* The entry of a part name like "/3D/3dmodel.model"; NULL: none. */
extern const MfZipEntry *mf_threemf_part(const Mf3mf *threemf,
										 const char *name);

/* ---- threemf_model.c ---- */

/* Reads one file of the package. */
extern bool mf_threemf_read_model(Mf3mf *threemf, uint32_t file);

/* ---- threemf_values.c ---- */

extern bool mf_threemf_parse_number(MfXml *xml, const char *text,
									double *value);
extern bool mf_threemf_parse_id(MfXml *xml, const char *what,
								const char *text, uint32_t *id);
extern bool mf_threemf_parse_index(MfXml *xml, const char *text,
								   uint32_t count, uint32_t *index);
extern bool mf_threemf_parse_transform(MfXml *xml, const char *text,
									   Mf3mfUse *use);
extern bool mf_threemf_parse_unit(MfXml *xml, const char *text, MfUnit *unit);

/* ---- threemf_extension.c ---- */

/* Are all extensions read that a file requires? */
extern bool mf_threemf_check_required(MfXml *xml, const char *prefixes);

/* Notes that something of a namespace is not read; names may follow it. */
extern void mf_threemf_note_extension(MfJob *job, const char *space);

/* ---- threemf_run.c ---- */

/*
 * Reads vertices or triangles in their plain spelling, and moves *at behind
 * those that it has read.  False: refused.
 */
extern bool mf_threemf_run_vertices(Mf3mf *threemf, MfMesh *mesh,
									const char **at, const char *end);
extern bool mf_threemf_run_triangles(Mf3mf *threemf, MfMesh *mesh,
									 const char **at, const char *end);

/* ---- threemf_build.c ---- */

/* Puts the parts where the items of the build section say. */
extern bool mf_threemf_build(Mf3mf *threemf);

#endif							/* MF_THREEMF_H */
