// An embedding of a whole recording from what was heard in it, behind the interface that learnt embedders share.
#pragma once
#include <memory>

#include "grymsynth/model.h"

namespace grym {

// Id "rules-embedder", capability embed audio: 128 numbers of unit length from texture (MFCC, contrast, band shape),
// harmony (2-D Fourier magnitude of chroma, free of key) and rhythm (autocorrelation of the onset strength in beats).
// InvalidArgument for an empty buffer; silence gives the first axis.
std::shared_ptr<const Model> MakeRulesEmbedder();

}  // namespace grym
