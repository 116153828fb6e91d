// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

// What an examinee is asked for one item under the exam's protocol. The caller sets the id.
Request make_request(const Exam& exam, ExamItem item);
Request make_request(const std::string& suite, const Protocol& protocol, ExamItem item);

}  // namespace keju
