/* Delta checkpoints: what is in __metadata__. docs/deltas.md describes it. Files: delta.c (saving),
 * delta_load.c. */
#ifndef GRAFT__COPY_DELTA_H
#define GRAFT__COPY_DELTA_H

#include "graft/content.h"

#define GRAFT__DELTA_KEY "graft.delta" /* "1": the version */
#define GRAFT__DELTA_BASE_KEY "graft.delta.base"
#define GRAFT__DELTA_BASE_HASH_KEY "graft.delta.base.sha256"
#define GRAFT__DELTA_HASH_KEY "graft.delta.sha256"
#define GRAFT__DELTA_NAMES_KEY "graft.delta.names"     /* of the whole, in order: JSON */
#define GRAFT__DELTA_REMOVED_KEY "graft.delta.removed" /* of the base that the whole lacks */
#define GRAFT__DELTA_VERSION "1"

#endif
