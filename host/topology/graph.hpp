// A plan as a picture, in the languages of Graphviz and Mermaid. The same plan always gives the
// same text.
//
// Nodes are workers. Edges are routes, labelled with the output port and the behaviour when the
// queue is full. Parameters are left out: they may be secret.
#pragma once

#include <string>

#include "host/topology/plan.hpp"

namespace skep::host {

[[nodiscard]] std::string graph_dot(const Plan& plan);
[[nodiscard]] std::string graph_mermaid(const Plan& plan);

}  // namespace skep::host
