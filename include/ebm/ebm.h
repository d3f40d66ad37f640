/**
 * @file ebm.h
 * Everything: include this one.
 *
 * libebm trains and samples deep energy-based models by MCMC. It is a library
 * of parts which the caller wires together; one training iteration is
 *
 *     ebm_buffer_draw(buffer, chains);
 *     ebm_sampler_run(sampler, model, chains);
 *     ebm_loss_backward(loss, model, data, labels, n, chains, report);
 *     ebm_optimizer_step(optimizer);
 *     ebm_buffer_store(buffer, chains);
 */
#ifndef EBM_EBM_H
#define EBM_EBM_H

#include <ebm/ais.h>
#include <ebm/analytic.h>
#include <ebm/buffer.h>
#include <ebm/chains.h>
#include <ebm/check.h>
#include <ebm/checkpoint.h>
#include <ebm/composition.h>
#include <ebm/context.h>
#include <ebm/dataset.h>
#include <ebm/diagnostics.h>
#include <ebm/distance.h>
#include <ebm/export.h>
#include <ebm/image.h>
#include <ebm/loss.h>
#include <ebm/model.h>
#include <ebm/network.h>
#include <ebm/optimizer.h>
#include <ebm/option.h>
#include <ebm/preset.h>
#include <ebm/report.h>
#include <ebm/sampler.h>
#include <ebm/status.h>
#include <ebm/transition.h>
#include <ebm/version.h>

#endif
