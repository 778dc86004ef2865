/*
 * picture.h
 *		The picture of a scene: what its files share.
 *
 * picture_view.c chooses the view, picture.c goes through the scene,
 * picture_draw.c fills triangles into a canvas, picture_png.c makes pictures
 * of a canvas.
 *
 * A canvas is square, its rows from the bottom up.  Each pixel is the nearest
 * sample that was put there: its depth in the upper half, what it shows in
 * the lower.  The least such word wins, so neither the order of the triangles
 * nor who draws them changes a bit.
 */
#ifndef MF_PICTURE_H
#define MF_PICTURE_H

#include "scene.h"

/* Pixels along a side of the canvas: twice the largest picture. */
#define MF_CANVAS_SIDE		1024

#define MF_CANVAS_EMPTY		UINT64_MAX

/* What a sample shows; a mark covers all else. */
typedef enum MfPictureKind
{
	MF_PICTURE_MATERIAL = 0,
	MF_PICTURE_BACK,			/* the inside of an open surface */
	MF_PICTURE_MARK				/* the place of a defect */
} MfPictureKind;
#define MF_PICTURE_KINDS	3

/* The lower half of a pixel: how bright, from 0 to 255, and what. */
#define MF_SAMPLE(kind, shade)	((uint32_t) (kind) << 8 | (shade))
#define MF_SAMPLE_KIND(pixel)	((uint32_t) (pixel) >> 8)
#define MF_SAMPLE_SHADE(pixel)	((uint32_t) (pixel) & 255)
#define MF_SAMPLE_DEPTH(pixel)	((uint32_t) ((pixel) >> 32))

typedef struct MfCanvas
{
	uint64_t   *pixel;			/* MF_CANVAS_SIDE squared */
	double		nearest;		/* what has depth 0, towards the viewer */
	double		depth_scale;	/* depth per pixel */
} MfCanvas;

/* Depths end here; the rest is room for what lies behind a little. */
#define MF_CANVAS_DEPTH		4.0e9

/* From where the scene is seen, and where on the canvas. */
typedef struct MfPictureView
{
	double		axis[3][3];		/* right, up, towards the viewer; in pixels
								 * per unit of the scene */
	double		shift[3];
} MfPictureView;

/*
 * Fits the view to all instances; `tall` says that the model's y points up.
 * Sets the depth of the canvas.  False: there is no memory, or nothing that
 * has a size.
 */
extern bool mf_picture_fit(MfJob *job, const MfScene *scene, bool tall,
						   MfPictureView *view, MfCanvas *canvas);

/* View times pose: where a point of the part is seen, before any shift. */
static inline void
mf_picture_combine(const MfPictureView *view, const MfPose *pose,
				   double map[3][3])
{
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			map[i][k] = view->axis[i][0] * pose->linear[0][k] +
				view->axis[i][1] * pose->linear[1][k] +
				view->axis[i][2] * pose->linear[2][k];
}

/* Where a point is seen. */
static inline void
mf_picture_see(const double map[3][3], const double from[3],
			   const double shift[3], double to[3])
{
	for (int i = 0; i < 3; i++)
		to[i] = map[i][0] * from[0] + map[i][1] * from[1] +
			map[i][2] * from[2] + shift[i];
}

/* What drawing one triangle costs, and with what it is drawn. */
typedef struct MfStroke
{
	double		at[3][3];		/* in pixels: right, up, towards the viewer */
	int32_t		snapped[3][2];	/* the first two in 256ths of a pixel */
	int32_t		first_row;
	int32_t		last_row;
	int32_t		first_column;
	int32_t		last_column;
	int64_t		twice_area;		/* in snapped units; negative: seen from the
								 * back */
} MfStroke;

/*
 * Snaps a triangle to the canvas.  False: it covers no pixel, or none that is
 * to be seen: of a closed surface only fronts are.
 */
extern bool mf_stroke_prepare(MfStroke *stroke, bool closed);

/* Pixels that drawing it will look at, about. */
extern uint64_t mf_stroke_cost(const MfStroke *stroke);

extern void mf_stroke_draw(const MfCanvas *canvas, const MfStroke *stroke);

/* A red dot around a place that covers everything. */
extern void mf_canvas_mark(const MfCanvas *canvas, double x, double y);

/* Sums of the samples behind one pixel of a picture. */
typedef struct MfPictureCell
{
	uint32_t	shade;
	uint16_t	covered;
	uint16_t	kind[MF_PICTURE_KINDS];
} MfPictureCell;

/*
 * Sums up rows [first, last) of the largest picture, from the top, with
 * outlines darkened; and halves a picture in place.
 */
extern void mf_picture_resolve(const MfCanvas *canvas, uint32_t first,
							   uint32_t last, MfPictureCell *cell);
extern void mf_picture_halve(MfPictureCell *cell, uint32_t size);

/* Memory that libpng and zlib find enough for one picture. */
#define MF_PICTURE_ARENA	((size_t) 640 * 1024)

/* Indexes of colours of a picture; and with fewer shades. */
extern void mf_picture_colour(const MfPictureCell *cell, uint32_t size,
							  uint8_t *index);
extern void mf_picture_coarsen(uint8_t *index, uint32_t size,
							   uint32_t coarseness);

/*
 * Writes a PNG of indexes; its length, or 0 where `room` or the arena is too
 * small.  Takes no memory but those.
 */
extern size_t mf_picture_encode(const uint8_t *index, uint32_t size,
								void *arena, size_t arena_size,
								uint8_t *png, size_t room);

/*
 * Draws the scene and calls back with each picture.  Takes what memory it
 * needs from the job's; where there is none, there is no picture.
 */
extern void mf_picture_make(MfJob *job, const MfScene *scene,
							const MfMeasurement *m,
							MfPictureCallback callback, void *arg);

#endif							/* MF_PICTURE_H */
