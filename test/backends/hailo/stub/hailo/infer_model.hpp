/* Of the STUB of HailoRT's C++ classes: see hailort.hpp in this folder. */
#include "hailort.hpp"
