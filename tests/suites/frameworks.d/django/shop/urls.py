from django.urls import path

from shop.views import pay

urlpatterns = [path("pay/<str:name>/<int:amount>", pay)]
