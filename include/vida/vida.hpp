#pragma once

#include "vida/array.hpp"
#include "vida/device.hpp"
#include "vida/ensemble.hpp"
#include "vida/error.hpp"
#include "vida/filter.hpp"
#include "vida/gain.hpp"
#include "vida/lorenz96.hpp"
#include "vida/optimizer.hpp"
#include "vida/random.hpp"
#include "vida/twin.hpp"
#include "vida/version.hpp"
