#include "inference/flow_table.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "backends.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

const FlowShape kShape = {.dimension = 3, .context = 2, .layers = 4, .hidden = 8};
constexpr std::uint64_t kSeed = 11;

std::vector<double> parameters_of(const FlowShape& shape) { return initial_flow_parameters(shape, 3, 0, false); }

Matrix some_contexts(long count) {
  Matrix contexts({count, 2});
  for (long i = 0; i < contexts.size(); ++i) contexts.data()[i] = std::sin(static_cast<double>(i));
  return contexts;
}

template <class Real>
FlowTable<Real> table_on(const Device& device, long contexts) {
  return FlowTable<Real>(device, kShape, parameters_of(kShape), some_contexts(contexts));
}

/// The whole table, drawn in parts of at most `largest`.
template <class Real>
TableSamples<Real> drawn(const Device& device, long contexts, long count, long largest) {
  auto table = table_on<Real>(device, contexts);
  const auto d = static_cast<std::size_t>(kShape.dimension);
  TableSamples<Real> all;
  all.points.resize(static_cast<std::size_t>(contexts * count) * d);
  all.log_density.resize(static_cast<std::size_t>(contexts * count));
  for (const TablePart& part : table_parts(contexts, count, largest)) {
    const auto piece = table.sample(kSeed, part);
    const auto at = part.first_context * count + part.first;  // a part is one block of the table
    std::copy(piece.log_density.begin(), piece.log_density.end(), all.log_density.begin() + at);
    std::copy(piece.points.begin(), piece.points.end(), all.points.begin() + at * kShape.dimension);
  }
  return all;
}

TEST(TableParts, CoverEveryCellOnceInOrder) {
  for (const long contexts : {1L, 2L, 7L})
    for (const long count : {1L, 5L, 12L})
      for (const long largest : {1L, 4L, 5L, 13L, 100L}) {
        long reached = 0;
        for (const TablePart& part : table_parts(contexts, count, largest)) {
          EXPECT_LE(part.size(), largest);
          EXPECT_GE(part.size(), 1);
          EXPECT_TRUE(part.contexts == 1 || part.count == count) << "one block of every array";
          EXPECT_EQ(part.first_context * count + part.first, reached);
          reached += part.size();
        }
        EXPECT_EQ(reached, contexts * count);
      }
}

TEST(FlowTable, DrawsDoNotDependOnHowTheTableIsCut) {
  const auto expect = [](auto real) {
    using Real = decltype(real);
    const Device device = Device::cpu(2);
    const auto whole = drawn<Real>(device, 5, 700, 1L << 17);
    for (const long largest : {1L << 17, 1000L, 137L}) {
      const auto cut = drawn<Real>(device, 5, 700, largest);
      EXPECT_EQ(cut.points, whole.points) << largest;
      EXPECT_EQ(cut.log_density, whole.log_density) << largest;
    }
    const auto longer = drawn<Real>(device, 5, 900, 1L << 17);
    for (std::size_t k = 0; k < 5; ++k)
      for (std::size_t i = 0; i < 700; ++i)
        ASSERT_EQ(longer.log_density[k * 900 + i], whole.log_density[k * 700 + i]) << k << " " << i;
  };
  expect(float{});
  expect(double{});
}

class FlowTableOnDevices : public OnEveryBackend {};

TEST_P(FlowTableOnDevices, DrawsWhatTheFlowDrawsAtEachContext) {
  const long contexts = 3, count = kOnShim ? 40 : 600;
  const auto found = drawn<double>(device(), contexts, count, 1L << 17);
  Flow<double> flow(device(), kShape);
  flow.set_parameters(0, parameters_of(kShape));
  const Matrix c = some_contexts(contexts);
  for (long k = 0; k < contexts; ++k) {
    Array<double, 3> context({1, 1, 2});
    context(0, 0, 0) = c(k, 0), context(0, 0, 1) = c(k, 1);
    const FlowDraws draws{.seed = kSeed, .stream = Stream::filter, .first_problem = static_cast<std::uint32_t>(k)};
    const auto expected = flow.sample(draws, count, context);
    const auto density = flow.log_density(expected.points, context);
    const auto first = found.points.begin() + k * count * 3;
    EXPECT_LE(relative_error(std::vector<double>(first, first + count * 3), expected.points), 1e-13);
    const auto log = found.log_density.begin() + k * count;
    EXPECT_LE(relative_error(std::vector<double>(log, log + count), density), 1e-12);
  }
}

TEST_P(FlowTableOnDevices, LogDensitiesInSinglePrecisionKeepSixDigits) {
  const long contexts = 3, count = kOnShim ? 40 : 600;
  const auto drawn64 = drawn<double>(device(), contexts, count, 1L << 17);
  const TablePart part{0, contexts, 0, count};
  const auto found = table_on<float>(device(), contexts).log_density(part, drawn64.points);
  EXPECT_LE(relative_error(found, drawn64.log_density), 1e-6) << "rounding of the points and of some hundred terms";
}

TEST_P(FlowTableOnDevices, PointsMayBeSharedByTheContexts) {
  const std::vector<double> shared = {0.1, 0.2, 0.3, -1, 0, 1};
  std::vector<double> repeated = shared;
  repeated.insert(repeated.end(), shared.begin(), shared.end());
  auto table = table_on<double>(device(), 2);
  const TablePart part{0, 2, 0, 2};
  EXPECT_EQ(table.log_density(part, shared), table.log_density(part, repeated));
  EXPECT_THAT(message_of([&] { table.log_density(part, std::span(shared).first(5)); }),
              HasSubstr("5 numbers were given for 2 contexts with 2 points of 3 each"));
}

VIDA_ON_EVERY_BACKEND(FlowTableOnDevices);

TEST(FlowTable, RefusesContextsOfAnotherSize) {
  EXPECT_THAT(message_of([] {
                FlowTable<float>(Device::cpu(1), kShape, parameters_of(kShape), Matrix({4, 3}));
              }),
              HasSubstr("contexts have shape [4, 3], expected [context, 2]"));
  EXPECT_THAT(message_of([] { table_on<float>(Device::cpu(1), 1).sample(0, {.first = 1L << 32, .count = 1}); }),
              HasSubstr("numbered below 2^32"));
}

}  // namespace
}  // namespace vida
