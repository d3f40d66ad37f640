# A BLAS may come without CBLAS, and a cblas.h without its library: link one
# call before anything is compiled.
include(CheckCSourceCompiles)

string(MAKE_C_IDENTIFIER "EBM_CBLAS_LINKS_${EBM_BLAS}" ebm_check)
set(CMAKE_REQUIRED_LIBRARIES ebm::blas)
check_c_source_compiles("
    #include <cblas.h>
    int main(void)
    {
        float a = 2, b = 3, c = 0;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a,
                    1, &b, 1, 0, &c, 1);
        return c != 6;
    }" ${ebm_check})
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT ${ebm_check})
    # Forgotten, so that a mended installation is looked at again.
    unset(${ebm_check} CACHE)
    message(FATAL_ERROR "EBM_BLAS=${EBM_BLAS}: a program that includes "
        "cblas.h and calls cblas_sgemm does not link")
endif()
