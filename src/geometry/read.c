/*
 * read.c
 *		Any file to a scene, by the reader for its kind.
 */
#include "glb.h"
#include "text.h"
#include "threemf.h"

/* Reads a file that is one part. */
static bool
read_part(MfJob *job, MfScene *scene, bool (*read) (MfJob *, MfMesh *))
{
	MfPart	   *part = mf_scene_add_part(job, scene);

	return part != NULL && read(job, &part->mesh) &&
		mf_scene_place(job, scene, 0, NULL, NULL);
}

/* Reads bytes of this kind; no text in UTF-16. */
static bool
read_encoding(MfJob *job, MfScene *scene, MfFormat *format,
			  MfEncoding encoding)
{
	switch (encoding)
	{
		case MF_ENCODING_NONE:
		case MF_ENCODING_UTF16:
			return false;
		case MF_ENCODING_STL_BINARY:
			*format = MF_FORMAT_STL;
			return read_part(job, scene, mf_stl_read_binary);
		case MF_ENCODING_STL_ASCII:
			*format = MF_FORMAT_STL;
			return read_part(job, scene, mf_stl_read_ascii);
		case MF_ENCODING_OBJ:
			*format = MF_FORMAT_OBJ;
			return read_part(job, scene, mf_obj_read);
		case MF_ENCODING_PLY:
			*format = MF_FORMAT_PLY;
			return read_part(job, scene, mf_ply_read);
		case MF_ENCODING_GLB:
			*format = MF_FORMAT_GLB;
			return mf_glb_read(job, scene);
		case MF_ENCODING_3MF:
			*format = MF_FORMAT_3MF;
			return mf_threemf_read(job, scene);
	}
	return false;
}

/* Reads a text in UTF-16: what it is shows when it is in UTF-8. */
static bool
read_utf16(MfJob *job, MfScene *scene, MfFormat *format)
{
	const uint8_t *bytes = job->bytes;
	const size_t size = job->size;
	size_t		length;
	uint8_t    *text = mf_text_from_utf16(job, &length);
	bool		good;

	if (text == NULL)
		return false;
	job->bytes = text;
	job->size = length;
	good = read_encoding(job, scene, format, mf_detect_encoding(job));
	job->bytes = bytes;
	job->size = size;
	mf_memory_free(&job->memory, text, length);
	return good;
}

/* Reads the job's bytes; see scene.h. */
bool
mf_scene_read(MfJob *job, MfScene *scene, MfFormat *format)
{
	MfEncoding	encoding;

	mf_job_progress(job, MF_STAGE_READING, 0, job->size);
	encoding = mf_detect_encoding(job);
	if (encoding == MF_ENCODING_UTF16)
		return read_utf16(job, scene, format);
	return read_encoding(job, scene, format, encoding);
}
