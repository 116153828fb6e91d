// SPDX-License-Identifier: MIT
#pragma once

namespace keju {

// Elementary functions in double from additions, multiplications and square roots alone, in one
// fixed order: the same bits on every IEEE machine and with every libm. Accurate to about 2 ulp,
// which is far below the float32 that they are rounded to.
double exact_exp(double x);
double exact_log(double x);            // x > 0
double exact_pow(double x, double y);  // x > 0
double exact_sin(double x);            // |x| < 1e8
double exact_cos(double x);

}  // namespace keju
