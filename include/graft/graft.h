/* graft/graft.h: all of graft. */
#ifndef GRAFT_GRAFT_H
#define GRAFT_GRAFT_H

#include "graft/autograd.h"
#include "graft/base.h"
#include "graft/content.h"
#include "graft/copy.h"
#include "graft/data.h"
#include "graft/dict.h"
#include "graft/diff.h"
#include "graft/file.h"
#include "graft/layers.h"
#include "graft/merge.h"
#include "graft/module.h"
#include "graft/ops.h"
#include "graft/optim.h"
#include "graft/plan.h"
#include "graft/rules.h"
#include "graft/tensor.h"

#endif
