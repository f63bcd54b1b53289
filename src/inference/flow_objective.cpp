#include "inference/flow_objective.hpp"

#include "adam.cuh"

namespace vida {

template <class Real>
ForwardKlObjective<Real>::ForwardKlObjective(Executor& executor, const Target& target, long capacity,
                                             const ContextScale& scale)
    : executor_(executor), d_(target.dimension()), p_(target.observations()), target_(prepare<Real>(target, executor)) {
  const long stride = round_up(capacity, kernels::kFlowStride);
  const auto take = [&](int rows) { return Buffer<Real>(executor, static_cast<std::size_t>(rows * stride)); };
  u_ = take(d_), noise_ = take(p_), y_ = take(p_);
  for (auto* buffer : {&u_, &noise_}) buffer->clear();  // the padding is computed on, too
  shift_ = uploaded(executor, std::vector<Real>(scale.shift.begin(), scale.shift.end()));
  scale_ = uploaded(executor, std::vector<Real>(scale.scale.begin(), scale.scale.end()));
}

template <class Real>
void ForwardKlObjective<Real>::evaluate(FlowEngine<Real>& engine, const ObjectiveDraws& draws, bool gradient) {
  const long count = engine.count(), stride = engine.stride();
  // step 0 belongs to simulate(), the last one to validation
  const std::uint32_t step = draws.clock ? 1 : ~std::uint32_t{0};
  target_->simulate({.count = count,
                     .stride = stride,
                     .seed = draws.seed,
                     .first = draws.first,
                     .step = step,
                     .clock = draws.clock,
                     .u = u_.data(),
                     .noise = noise_.data(),
                     .y = y_.data()});
  const long blocks = (stride + kernels::kFlowBlock - 1) / kernels::kFlowBlock;
  launch(executor_, {.items = engine.problems() * blocks},
         kernels::SpreadJointDraws<Real>{u_.data(), y_.data(), shift_.data(), scale_.data(), engine.input(),
                                         engine.context(), stride, count, blocks, d_, p_});
  engine.inverse();
  gradient ? engine.likelihood_backward({}, false) : engine.likelihood_terms();
}

template class ForwardKlObjective<float>;
template class ForwardKlObjective<double>;

}  // namespace vida
