import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager):
    def create_user(self, address, password=None, **fields):
        person = self.model(address=self.normalize_email(address), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, address, password=None, **fields):
        return self.create_user(address, password, is_staff=True, is_superuser=True, **fields)


class Person(AbstractBaseUser, PermissionsMixin):
    """Who signs in with an e-mail, and is known by a UUID. There is no username."""

    key = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = PersonManager()

    USERNAME_FIELD = "address"
    EMAIL_FIELD = "address"

    def __str__(self):
        return self.address
