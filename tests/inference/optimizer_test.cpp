#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "vida/vida.hpp"

namespace vida {
namespace {

TEST(GradientDescentStep, MovesAgainstTheGradient) {
  std::vector<double> x{1, 2};
  GradientDescent(0.5).step(x, std::vector<double>{2, -4});
  EXPECT_EQ(x, (std::vector<double>{0, 4}));
}

// By hand, gradient 2 then -1, rate 0.1: after bias correction the first step is the rate itself; in the second
// m = (0.9 * 0.2 - 0.1) / 0.19, v = (0.999 * 0.004 + 0.001) / 0.001999.
TEST(AdamStep, EqualsTheNumbersWorkedByHand) {
  std::vector<double> x{0};
  Adam adam(0.1);
  adam.step(x, std::vector<double>{2});
  EXPECT_NEAR(x[0], -0.1, 1e-9);
  adam.step(x, std::vector<double>{-1});
  EXPECT_NEAR(x[0], -0.1 - 0.1 * ((0.9 * 0.2 - 0.1) / 0.19) / std::sqrt((0.999 * 0.004 + 0.001) / 0.001999), 1e-9);
}

TEST(AdamStep, FindsTheMinimumOfAQuadratic) {
  std::vector<double> x{3, -2};
  Adam adam(0.05);
  for (int step = 0; step < 2000; ++step) adam.step(x, std::vector<double>{2 * (x[0] - 1), 20 * (x[1] - 0.5)});
  EXPECT_NEAR(x[0], 1, 1e-3);
  EXPECT_NEAR(x[1], 0.5, 1e-3);
}

TEST(MakeOptimizer, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(make_optimizer("sgd", 0.1), InvalidArgument);
  EXPECT_THROW(make_optimizer("adam", 0), InvalidArgument);
  EXPECT_THROW(make_optimizer("adam", NAN), InvalidArgument);
}

}  // namespace
}  // namespace vida
