#include "models/register_all.h"

namespace grym {

const std::vector<ModelFamily>& ModelFamilies() {
  static const std::vector<ModelFamily> families = {
  };
  return families;
}

}  // namespace grym
